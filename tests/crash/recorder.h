/*
 * recorder.h: what the store (LMDB included) asks of the file system, recorded. The test program
 * defines pwrite, fdatasync, rename … itself, so that all libraries call these; the calls are done
 * and noted when they concern files below the folder that is recorded.
 *
 * From the notes, images of the disk are made as they may be after the machine went down at some
 * point: what was synced is there; of what was not each write is there, is not, or is there in part
 * (sectors of 512 bytes); of the changes of a folder that were not synced the first few are there.
 */
#ifndef CRASH_RECORDER_H
#define CRASH_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void recorder_start(const char *root);
void recorder_stop(void); /* the notes stay */
void recorder_clear(void);
size_t recorder_events(void); /* so far */

enum image_kind {
    IMAGE_KILLED,    /* the process ended: everything it wrote is there */
    IMAGE_POWER_CUT, /* the machine went down */
};
/* Writes the image as of after event `count` below `to` (made anew). random() is the caller's. */
void recorder_image(size_t count, enum image_kind kind, const char *to, uint64_t (*random)(void));

#endif
