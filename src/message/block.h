/*
 * block.h: the bytes of a summary block, version 1. All numbers are little-endian.
 *
 *   at  bytes
 *    0  4   magic "SPS" and the version
 *    4  4   length of the whole block
 *    8  4   length of the message it was made from
 *   12  2   flags (SUMMARY_…)
 *   14  2   zone of the Date field, minutes east
 *   16  8   Date field, seconds since 1970 UTC (INT64_MIN: none)
 *   24  4   header_bytes
 *   28  4   body_lines
 *   32  4   part_count
 *   36  4×SECTIONS  end of each section, counted from the start of the block
 *       …   the sections, one behind the other
 *
 * Section PARTS has one record of 36 bytes a part, in order of appearance:
 *    0  4×4 header_at, header_bytes, body_at, body_bytes
 *   16  4   index of the next sibling (0: none)
 *   20  4   where in section STRINGS type "/" subtype, encoding and charset stand, one behind the
 * other 24  2×3 their lengths 30  1   kind (enum mime_kind); a container's first child is the next
 * part 31  1   0 32  4   line ends in the body
 */
#ifndef MESSAGE_BLOCK_H
#define MESSAGE_BLOCK_H

#include "message/mime.h"
#include "message/summary.h"

enum block_section {
    BLOCK_ENVELOPE,
    BLOCK_BODYSTRUCTURE,
    BLOCK_BODY,
    BLOCK_OVERVIEW,
    BLOCK_MESSAGE_ID,
    BLOCK_REFERENCES,
    BLOCK_BASE_SUBJECT,
    BLOCK_FROM_FIRST,
    BLOCK_NEWSGROUPS,
    BLOCK_FOLLOWUP_TO,
    BLOCK_DISTRIBUTION,
    BLOCK_CONTROL,
    BLOCK_APPROVED,
    BLOCK_PARTS,
    BLOCK_STRINGS,
    BLOCK_SECTIONS,
};

enum {
    BLOCK_MAGIC = 'S' | 'P' << 8 | 'S' << 16, /* and the version in the top byte */
    BLOCK_VERSION = 1,
    BLOCK_ENDS_AT = 36,
    BLOCK_HEAD_BYTES = BLOCK_ENDS_AT + 4 * BLOCK_SECTIONS,
    BLOCK_PART_BYTES = 36,
    BLOCK_STRING_MAX = 500, /* of a part's type, encoding or charset */
};

#endif
