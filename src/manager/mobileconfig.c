#include "manager/mobileconfig.h"

#include "base/base64.h"
#include "base/random.h"

static void put_text(struct buf *b, const char *text)
{
    for (; *text; text++) {
        const char *as = *text == '<'   ? "&lt;"
                         : *text == '>' ? "&gt;"
                         : *text == '&' ? "&amp;"
                                        : NULL;
        if (as != NULL)
            buf_put_cstr(b, as);
        else if ((unsigned char)*text >= ' ')
            buf_putc(b, *text);
    }
}

static void put_string(struct buf *b, const char *key, const char *one, const char *two)
{
    buf_printf(b, "<key>%s</key><string>", key);
    put_text(b, one);
    put_text(b, two);
    buf_put_cstr(b, "</string>\n");
}

/* RFC 9562 section 5.4 */
static void put_uuid(struct buf *b)
{
    unsigned char u[16];

    random_bytes(u, sizeof u);
    u[6] = (unsigned char)((u[6] & 0x0f) | 0x40);
    u[8] = (unsigned char)((u[8] & 0x3f) | 0x80);
    buf_put_cstr(b, "<key>PayloadUUID</key><string>");
    for (unsigned i = 0; i < sizeof u; i++)
        buf_printf(b, "%s%02X", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", u[i]);
    buf_put_cstr(b, "</string>\n<key>PayloadVersion</key><integer>1</integer>\n");
}

static void put_payload(struct buf *b, const char *type, const char *id, const char *address,
                        const char *title, struct span content)
{
    buf_put_cstr(b, "<dict>\n");
    put_string(b, "PayloadType", type, "");
    put_string(b, "PayloadIdentifier", id, address);
    put_string(b, "PayloadDisplayName", title, "");
    put_uuid(b);
    buf_put_cstr(b, "<key>PayloadContent</key><data>");
    base64_encode(b, content);
    buf_put_cstr(b, "</data>\n</dict>\n");
}

void mobileconfig_print(const struct mobileconfig *m, struct buf *out)
{
    buf_put_cstr(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                      "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" "
                      "\"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n"
                      "<plist version=\"1.0\">\n<dict>\n<key>PayloadContent</key>\n<array>\n");
    if (m->root.n)
        put_payload(out, "com.apple.security.root", "sealpost.root.", m->address,
                    "Mail server's certificate authority", m->root);
    put_payload(out, "com.apple.security.pkcs12", "sealpost.identity.", m->address, m->name,
                m->pkcs12);
    buf_put_cstr(out, "</array>\n");
    put_string(out, "PayloadType", "Configuration", "");
    put_string(out, "PayloadIdentifier", "sealpost.profile.", m->address);
    put_string(out, "PayloadDisplayName", "Mail of ", m->address);
    put_uuid(out);
    buf_put_cstr(out, "</dict>\n</plist>\n");
}
