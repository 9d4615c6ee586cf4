/* names.c: what numbers of TLS are called. */
#include "capture/tls_record.h"

#include "base/check.h"

#include <stdio.h>

static const struct {
    uint16_t id;
    const char *name;
} ciphers[] =
    {
        {0x1301, "TLS_AES_128_GCM_SHA256"       },
        {0x1302, "TLS_AES_256_GCM_SHA384"       },
        {0x1303, "TLS_CHACHA20_POLY1305_SHA256" },
        {0x1304, "TLS_AES_128_CCM_SHA256"       },
        {0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"},
        {0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"},
        {0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"  },
        {0xc030, "ECDHE-RSA-AES256-GCM-SHA384"  },
        {0xcca8, "ECDHE-RSA-CHACHA20-POLY1305"  },
        {0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305"},
        {0xccaa, "DHE-RSA-CHACHA20-POLY1305"    },
        {0x009e, "DHE-RSA-AES128-GCM-SHA256"    },
        {0x009f, "DHE-RSA-AES256-GCM-SHA384"    },
        {0xc009, "ECDHE-ECDSA-AES128-SHA"       },
        {0xc00a, "ECDHE-ECDSA-AES256-SHA"       },
        {0xc013, "ECDHE-RSA-AES128-SHA"         },
        {0xc014, "ECDHE-RSA-AES256-SHA"         },
        {0x002f, "AES128-SHA"                   },
        {0x0035, "AES256-SHA"                   },
        {0x009c, "AES128-GCM-SHA256"            },
        {0x009d, "AES256-GCM-SHA384"            },
},
  groups[] = {
      {0x0017, "P-256"},  {0x0018, "P-384"}, {0x0019, "P-521"},
      {0x001d, "X25519"}, {0x001e, "X448"},  {0x0100, "ffdhe2048"},
};

const char *tls_cipher_name(unsigned id, char ret[40])
{
    snprintf(ret, 40, "0x%04X", id);
    for (size_t i = 0; i < ARRAY_LEN(ciphers); i++)
        if (ciphers[i].id == id)
            snprintf(ret, 40, "%s", ciphers[i].name);
    return ret;
}

const char *tls_group_name(unsigned id, char ret[16])
{
    snprintf(ret, 16, "0x%04X", id);
    for (size_t i = 0; i < ARRAY_LEN(groups); i++)
        if (groups[i].id == id)
            snprintf(ret, 16, "%s", groups[i].name);
    return ret;
}
