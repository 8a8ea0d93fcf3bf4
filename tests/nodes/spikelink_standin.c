/* Stands in for the SpikeLink SDK: the same functions and structs, and a camera that does what a test tells it.
 *
 * The "path of the board's driver" holds the orders, key=value separated by commas:
 *   blocks=N     blocks after which the camera falls silent, as with its cable pulled out (default: it never does)
 *   drop=N:M     the SDK drops M blocks from block N on, and does not tell
 *   stall=N:MS   the SDK's thread sleeps before block N; what is due meanwhile comes late, all at once
 *   size=N       the SDK says that its blocks are of N bytes
 *   virtual=1    time does not pass but jumps from block to block, and far ahead at the end; standin_now_ns tells it
 *   fail=NAME    the function of that name returns -7
 *   report=PATH  Fini writes there: blocks sent, buffers released late, twice, never, blocks without a free buffer
 *
 * Byte j of block n, counted by the camera, is (31 n + 7 j + j / 256) mod 256.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ORDERS 16

typedef struct { int64_t num, den; } Rational;
typedef struct { int32_t width, height; uint32_t format; Rational fps, time_base; } Picture;
typedef struct { void *opaque; uint32_t type, mode, format; int32_t buff_size, cusum; Picture picture; } Parameters;
typedef struct { char device_name[256]; int32_t channels, channel_mode; } Board;
typedef struct {
    uint8_t *data[3];
    int32_t linesize[3], format, size, width, height;
    int64_t pts, dts, duration;
    Rational time_base;
    void *opaque;
} Frame;
typedef void (*Callback)(void *frame);

typedef struct { int64_t block; int value; } Order;
typedef struct {
    Order drops[ORDERS], stalls[ORDERS];
    int drop_count, stall_count;
    int64_t blocks;
    int32_t size, virtual_time;
    char fail[32], report[256];
    Frame *frames;
    uint8_t *first_block;
    bool *in_use;
    int frame_count, frame_bytes;
    int64_t period_ns;
    Callback callback;
    pthread_t thread;
    volatile bool running;
    int64_t sent, late, twice, without;
} Camera;

static void read_orders(Camera *camera, char *text) {
    camera->blocks = INT64_MAX;
    for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
        Order order;
        if (sscanf(word, "blocks=%ld", &camera->blocks) == 1) continue;
        if (sscanf(word, "size=%d", &camera->size) == 1) continue;
        if (sscanf(word, "virtual=%d", &camera->virtual_time) == 1) continue;
        if (sscanf(word, "fail=%31s", camera->fail) == 1) continue;
        if (sscanf(word, "report=%255s", camera->report) == 1) continue;
        if (sscanf(word, "drop=%ld:%d", &order.block, &order.value) == 2) camera->drops[camera->drop_count++] = order;
        if (sscanf(word, "stall=%ld:%d", &order.block, &order.value) == 2) camera->stalls[camera->stall_count++] = order;
    }
}

static int result(Camera *camera, const char *name) { return strcmp(camera->fail, name) ? 0 : -7; }

volatile int64_t standin_now_ns;

static int64_t now_ns(Camera *camera) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return camera->virtual_time ? standin_now_ns : moment.tv_sec * 1000000000 + moment.tv_nsec;
}

static void sleep_until(Camera *camera, int64_t ns) {
    struct timespec moment = {ns / 1000000000, ns % 1000000000};
    if (!camera->virtual_time) clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &moment, NULL);
    else if (ns > standin_now_ns) standin_now_ns = ns;
}

static bool is_dropped(Camera *camera, int64_t block) {
    for (int i = 0; i < camera->drop_count; i++)
        if (block >= camera->drops[i].block && block < camera->drops[i].block + camera->drops[i].value) return true;
    return false;
}

static int free_frame(Camera *camera) {
    for (int i = 0; i < camera->frame_count; i++)
        if (!camera->in_use[i]) return i;
    return -1;
}

static void send(Camera *camera, int64_t block, int64_t pts) {
    int i = free_frame(camera);
    if (i < 0) {
        camera->without++;
        return;
    }
    Frame *frame = &camera->frames[i];
    const uint8_t shift = (uint8_t)(31 * block);
    for (int j = 0; j < camera->frame_bytes; j++) frame->data[0][j] = (uint8_t)(camera->first_block[j] + shift);
    frame->size = camera->size ? camera->size : camera->frame_bytes;
    frame->pts = frame->dts = pts;
    camera->in_use[i] = true;
    camera->callback(frame);
    if (camera->in_use[i]) camera->late++;
    else memset(frame->data[0], 0xEE, camera->frame_bytes); /* who reads it now reads rubbish */
    camera->sent++;
}

static void *run(void *argument) {
    Camera *camera = argument;
    int64_t start = now_ns(camera), pts = 0;
    for (int64_t block = 0; block < camera->blocks && camera->running; block++) {
        sleep_until(camera, start + (block + 1) * camera->period_ns);
        for (int i = 0; i < camera->stall_count; i++)
            if (camera->stalls[i].block == block) sleep_until(camera, now_ns(camera) + camera->stalls[i].value * 1000000LL);
        if (!is_dropped(camera, block)) send(camera, block, pts++);
    }
    if (camera->virtual_time) sleep_until(camera, standin_now_ns + 10000000000LL);
    return NULL;
}

void *CreateSpikeLinkInputPython(void) { return calloc(1, sizeof(Camera)); }

int32_t Init(void *handle, Parameters *parameters) {
    Camera *camera = handle;
    Picture picture = parameters->picture;
    char orders[256];
    strcpy(orders, ((Board *)parameters->opaque)->device_name);
    read_orders(camera, orders);
    camera->frame_count = parameters->buff_size;
    camera->frame_bytes = parameters->cusum * (picture.width * picture.height / 8);
    camera->period_ns = 1000000000LL * parameters->cusum * picture.fps.den / picture.fps.num;
    camera->frames = calloc(camera->frame_count, sizeof(Frame));
    camera->in_use = calloc(camera->frame_count, sizeof(bool));
    for (int i = 0; i < camera->frame_count; i++) camera->frames[i].data[0] = malloc(camera->frame_bytes);
    camera->first_block = malloc(camera->frame_bytes);
    for (int j = 0; j < camera->frame_bytes; j++) camera->first_block[j] = (uint8_t)(7 * j + j / 256);
    return parameters->type == 0x20 && parameters->format == 0x10000 ? result(camera, "Init") : -1;
}

void SetCallbackPython(void *handle, Callback callback) { ((Camera *)handle)->callback = callback; }

int32_t Open(void *handle) { return result(handle, "Open"); }

int32_t Start(void *handle) {
    Camera *camera = handle;
    if (result(camera, "Start")) return -7;
    camera->running = true;
    return pthread_create(&camera->thread, NULL, run, camera);
}

int32_t Stop(void *handle) {
    Camera *camera = handle;
    camera->running = false;
    return pthread_join(camera->thread, NULL);
}

int32_t Close(void *handle) { return result(handle, "Close"); }

void ReleaseFrame(void *handle, void *frame) {
    Camera *camera = handle;
    int i = (Frame *)frame - camera->frames;
    if (!camera->in_use[i]) camera->twice++;
    camera->in_use[i] = false;
}

void Fini(void *handle) {
    Camera *camera = handle;
    int never = 0;
    for (int i = 0; i < camera->frame_count; i++) {
        never += camera->in_use[i];
        free(camera->frames[i].data[0]);
    }
    FILE *report = *camera->report ? fopen(camera->report, "w") : NULL;
    if (report) {
        fprintf(report, "%ld %ld %ld %d %ld", camera->sent, camera->late, camera->twice, never, camera->without);
        fclose(report);
    }
    free(camera->frames);
    free(camera->first_block);
    free(camera->in_use);
    free(camera);
}
