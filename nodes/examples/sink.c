/* A sink in C: prints step, width, height, mean level and age of every frame that a running pipeline sends.
 *
 *     cc -std=c99 -O2 -Wall -Wextra -o sink sink.c -lzmq          (Debian, Ubuntu: apt install gcc libzmq3-dev)
 *     ./sink ENDPOINT                                             (nodes.NAME.endpoint of: spikemm ctl status --json)
 *
 * It needs ZeroMQ alone. PROTOCOL.md, one folder up, says what is on the wire; the words below are its words.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

enum { PARTS = 35, ARRAYS = 32, DIMENSIONS = 4, DEPTH = 8, GRANT_EVERY_MS = 1000 };

static volatile sig_atomic_t stopped;

static void stop(int signal_number) { (void)signal_number, stopped = 1; }

static void fail(const char *text)
{
    fprintf(stderr, "sink: %s\n", text);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

/* ---- msgpack: what a hello and a grant need to be written, and a header to be read ---- */

typedef struct { uint8_t bytes[512]; size_t size; } Writer;

static void put(Writer *w, const void *bytes, size_t size)
{
    if (w->size + size > sizeof w->bytes) fail("a hello of more than 512 bytes");
    memcpy(w->bytes + w->size, bytes, size);
    w->size += size;
}

static void put_byte(Writer *w, unsigned byte) { uint8_t b = byte; put(w, &b, 1); }

static void put_map(Writer *w, unsigned entries) { put_byte(w, 0x80 | entries); } /* up to 15 */

static void put_text(Writer *w, const char *text)
{
    size_t size = strlen(text);
    put_byte(w, 0xd9), put_byte(w, size & 0xff); /* up to 255 bytes */
    put(w, text, size);
}

static void put_number(Writer *w, uint64_t value)
{
    put_byte(w, 0xcf);
    for (int shift = 56; shift >= 0; shift -= 8) put_byte(w, value >> shift & 0xff);
}

typedef struct { const uint8_t *at, *end; int broken; } Reader; /* what is broken reads as zeros */
typedef struct { const char *text; size_t size; } Text;         /* no zero at the end */
typedef enum { NOTHING, NUMBER, TEXT, LIST, MAP } Type;
typedef struct { Type type; double number; Text text; uint64_t size; } Value;

static const uint8_t *take(Reader *r, size_t size)
{
    if ((size_t)(r->end - r->at) < size) { r->broken = 1; return NULL; }
    r->at += size;
    return r->at - size;
}

static uint64_t take_number(Reader *r, size_t size)
{
    const uint8_t *bytes = take(r, size);
    uint64_t value = 0;
    for (size_t i = 0; bytes && i < size; i++) value = value << 8 | bytes[i];
    return value;
}

static Value take_text(Reader *r, uint64_t size)
{
    Value v = {TEXT, 0, {(const char *)take(r, size), size}, 0};
    if (!v.text.text) v.text.text = "", v.text.size = 0;
    return v;
}

static double as_float(uint64_t bits, size_t size)
{
    float single;
    double twice;
    uint32_t low = (uint32_t)bits;
    memcpy(&single, &low, 4), memcpy(&twice, &bits, 8);
    return size == 4 ? single : twice;
}

/* The next value; of a list or a map only its size: its entries follow. */
static Value next(Reader *r)
{
    Value v = {NOTHING, 0, {"", 0}, 0};
    unsigned b = take_number(r, 1);
    if (b <= 0x7f) v.type = NUMBER, v.number = b;
    else if (b <= 0x8f) v.type = MAP, v.size = b & 15;
    else if (b <= 0x9f) v.type = LIST, v.size = b & 15;
    else if (b <= 0xbf) return take_text(r, b & 31);
    else if (b == 0xc2 || b == 0xc3) v.type = NUMBER, v.number = b & 1;
    else if (b >= 0xc4 && b <= 0xc6) return take_text(r, take_number(r, 1u << (b - 0xc4)));
    else if (b == 0xca) v.type = NUMBER, v.number = as_float(take_number(r, 4), 4);
    else if (b == 0xcb) v.type = NUMBER, v.number = as_float(take_number(r, 8), 8);
    else if (b >= 0xcc && b <= 0xcf) v.type = NUMBER, v.number = (double)take_number(r, 1u << (b - 0xcc));
    else if (b >= 0xd0 && b <= 0xd3) {
        unsigned bits = 8u << (b - 0xd0);
        v.type = NUMBER, v.number = (double)((int64_t)(take_number(r, bits / 8) << (64 - bits)) >> (64 - bits));
    }
    else if (b >= 0xd9 && b <= 0xdb) return take_text(r, take_number(r, 1u << (b - 0xd9)));
    else if (b == 0xdc || b == 0xdd) v.type = LIST, v.size = take_number(r, b == 0xdc ? 2 : 4);
    else if (b == 0xde || b == 0xdf) v.type = MAP, v.size = take_number(r, b == 0xde ? 2 : 4);
    else if (b >= 0xe0) v.type = NUMBER, v.number = (int)b - 256;
    else if (b != 0xc0) r->broken = 1; /* extension types are not in use */
    return v;
}

/* Step over the entries of a value. */
static void skip(Reader *r, Value v, int depth)
{
    uint64_t entries = v.type == MAP ? 2 * v.size : v.type == LIST ? v.size : 0;
    if (depth > DEPTH) r->broken = 1;
    for (uint64_t i = 0; i < entries && !r->broken; i++) skip(r, next(r), depth + 1);
}

static int is(Text text, const char *word) { return text.size == strlen(word) && !memcmp(text.text, word, text.size); }

/* ---- a message ---- */

typedef struct { Text name, dtype; uint64_t shape[DIMENSIONS]; unsigned dimensions; } Array;
typedef struct {
    Text kind;
    double version, step, count, hop, source_time;
    unsigned arrays;
    Array array[ARRAYS];
} Header;

static void read_array(Reader *r, Array *array)
{
    if (next(r).size != 3) r->broken = 1;
    array->name = next(r).text, array->dtype = next(r).text;
    array->dimensions = next(r).size;
    if (array->dimensions > DIMENSIONS) { r->broken = 1; return; }
    for (unsigned i = 0; i < array->dimensions; i++) {
        double size = next(r).number;
        if (size < 0 || size >= 2147483648.0) r->broken = 1;
        array->shape[i] = r->broken ? 0 : (uint64_t)size;
    }
}

static int read_header(zmq_msg_t *part, Header *h)
{
    Reader r = {zmq_msg_data(part), (uint8_t *)zmq_msg_data(part) + zmq_msg_size(part), zmq_msg_size(part) > 4096};
    Value map = next(&r);
    memset(h, 0, sizeof *h);
    h->kind.text = "";
    for (uint64_t i = 0; i < map.size && !r.broken; i++) {
        Text key = next(&r).text;
        Value v = next(&r);
        if (is(key, "kind")) h->kind = v.text;
        else if (is(key, "version")) h->version = v.number;
        else if (is(key, "step")) h->step = v.number;
        else if (is(key, "count")) h->count = v.number;
        else if (is(key, "hop")) h->hop = v.number;
        else if (is(key, "source_time")) h->source_time = v.number;
        else if (is(key, "arrays") && v.type == LIST && v.size <= ARRAYS) {
            for (h->arrays = 0; h->arrays < v.size; h->arrays++) read_array(&r, &h->array[h->arrays]);
            continue;
        }
        skip(&r, v, 0);
    }
    return map.type == MAP && !r.broken && h->version == 1;
}

/* Print a line for each frame; the part's length is checked against the shape first. */
static void print_frames(const Header *h, const Array *a, zmq_msg_t *part)
{
    uint64_t frames = a->shape[0], height = a->shape[1], width = a->shape[2], pixels = height * width;
    if (a->dimensions != 3 || !is(a->dtype, "<f4") || frames != h->count || !pixels || pixels > 1u << 28
        || zmq_msg_size(part) / 4 / pixels != frames || zmq_msg_size(part) != frames * pixels * 4) {
        fprintf(stderr, "sink: a message whose arrays are not what its header says\n");
        return;
    }
    const uint8_t *data = zmq_msg_data(part);
    for (uint64_t n = 0; n < frames; n++) {
        double sum = 0;
        for (uint64_t i = 0; i < pixels; i++, data += 4) {
            uint32_t bits = data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
            sum += as_float(bits, 4);
        }
        printf("step %.0f  %ux%u  mean %.4f  age %.1f ms\n", h->step + n * h->hop, (unsigned)width, (unsigned)height,
               sum / pixels, 1000 * (now() - h->source_time));
    }
    fflush(stdout);
}

/* ---- the link ---- */

typedef struct { void *socket; char name[48]; uint64_t done; } Link;

/* Without waiting: a producer that does not listen must not hold us, and grants are repeated anyway. */
static void say(Link *link, const char *tag, const Writer *w)
{
    if (zmq_send(link->socket, tag, 1, ZMQ_DONTWAIT | (w ? ZMQ_SNDMORE : 0)) == 1 && w)
        zmq_send(link->socket, w->bytes, w->size, ZMQ_DONTWAIT);
}

static void hello(Link *link)
{
    Writer w = {{0}, 0};
    snprintf(link->name, sizeof link->name, "c-sink-%.6f", now()); /* new for each hello */
    link->done = 0;
    put_map(&w, 5);
    put_text(&w, "version"), put_number(&w, 1);
    put_text(&w, "node"), put_text(&w, "c-sink");
    put_text(&w, "port"), put_text(&w, "in");
    put_text(&w, "connection"), put_text(&w, link->name);
    put_text(&w, "policy"), put_text(&w, "latest");
    say(link, "H", &w);
}

/* One message at a time, and never more than a second apart: grants are the sign of life. */
static void grant(Link *link)
{
    Writer w = {{0}, 0};
    put_map(&w, 4);
    put_text(&w, "connection"), put_text(&w, link->name);
    put_text(&w, "messages"), put_number(&w, link->done + 1);
    put_text(&w, "bytes"), put_number(&w, (uint64_t)1 << 60);
    put_text(&w, "done"), put_number(&w, link->done);
    say(link, "G", &w);
}

static int for_us(Link *link, zmq_msg_t *part)
{
    Text text = {zmq_msg_data(part), zmq_msg_size(part)};
    return is(text, link->name);
}

/* Act upon one message of n parts; return 0 when the stream has ended. */
static int hear(Link *link, zmq_msg_t *part, unsigned n)
{
    char tag = zmq_msg_size(&part[0]) == 1 ? *(char *)zmq_msg_data(&part[0]) : 0;
    if (tag == 'E') return 0;
    if (tag == 'R' && n > 1) {
        fprintf(stderr, "sink: refused: %.*s\n", (int)zmq_msg_size(&part[1]), (char *)zmq_msg_data(&part[1]));
        exit(1);
    }
    if (n < 2 || !for_us(link, &part[1])) return 1; /* of a connection that is no more */
    if (tag == '?') hello(link); /* the producer was restarted */
    if (tag != 'D' || n < 3) return 1;
    Header h;
    link->done++;
    if (!read_header(&part[2], &h) || h.arrays != n - 3) {
        fprintf(stderr, "sink: a message that cannot be read\n");
        return 1;
    }
    for (unsigned i = 0; i < h.arrays; i++)
        if (is(h.kind, "frames") && is(h.array[i].name, "pixels")) print_frames(&h, &h.array[i], &part[3 + i]);
    return 1;
}

static int receive(Link *link)
{
    zmq_msg_t part[PARTS];
    unsigned n = 0;
    int more = 1, goes_on;
    while (more) {
        if (n == PARTS) fail("a message of more than 35 parts");
        zmq_msg_init(&part[n]);
        if (zmq_msg_recv(&part[n], link->socket, 0) < 0) fail(zmq_strerror(errno));
        more = zmq_msg_more(&part[n++]);
    }
    goes_on = hear(link, part, n);
    while (n) zmq_msg_close(&part[--n]);
    return goes_on;
}

int main(int argc, char **argv)
{
    if (argc != 2) fail("usage: sink ENDPOINT");
    void *context = zmq_ctx_new();
    Link link = {zmq_socket(context, ZMQ_DEALER), "", 0};
    int linger_ms = 200;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGINT, &action, NULL), sigaction(SIGTERM, &action, NULL);
    zmq_setsockopt(link.socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    if (zmq_connect(link.socket, argv[1])) fail(zmq_strerror(errno));
    hello(&link);
    for (int goes_on = 1; goes_on && !stopped;) {
        zmq_pollitem_t item = {link.socket, 0, ZMQ_POLLIN, 0};
        grant(&link);
        if (zmq_poll(&item, 1, GRANT_EVERY_MS) > 0) goes_on = receive(&link);
    }
    say(&link, "B", NULL);
    zmq_close(link.socket);
    zmq_ctx_term(context);
    return 0;
}
