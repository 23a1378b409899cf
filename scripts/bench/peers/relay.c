// Relay on epoll in one thread, for the benchmark: the least that a relay can cost on this machine. It joins the frames
// of a turn into one write for each connection. Ids are the numbers of the clients, so that it needs no table of names.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { TEXT = 1, BINARY = 2, CLOSE = 8, PING = 9, PONG = 10 };
enum { BEAT_MS = 5000, SILENCE_MS = 15000, MAX_CLIENTS = 1 << 22, MAX_EVENTS = 1024, READ_BYTES = 65536 };
// The relay accepts 1 MiB, and lets at most 8 MiB wait for a connection in the loads of large messages.
enum { MAX_FRAME_BYTES = 2 << 20, MAX_WAITING_BYTES = 64 << 20 };

typedef struct { char *bytes; size_t length, capacity; } Buffer;

typedef struct Client {
  int socket, id;
  bool is_upgraded, is_member, is_waiting, is_changed, is_gone;
  int64_t heard_ms;
  Buffer in, out;
  struct Client *next_changed;
} Client;

static int poller, last_id;
static Client *clients[MAX_CLIENTS];
// Clients that were written to, or that have gone, in this turn.
static Client *changed;

static int64_t now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

static char *reserve(Buffer *buffer, size_t more) {
  if (buffer->length + more > buffer->capacity) {
    while (buffer->length + more > buffer->capacity) buffer->capacity = buffer->capacity ? buffer->capacity * 2 : 1024;
    buffer->bytes = realloc(buffer->bytes, buffer->capacity);
    if (!buffer->bytes) abort();
  }
  return buffer->bytes + buffer->length;
}

static void append(Buffer *buffer, const void *bytes, size_t length) {
  memcpy(reserve(buffer, length), bytes, length);
  buffer->length += length;
}

static void consume(Buffer *buffer, size_t length) {
  buffer->length -= length;
  memmove(buffer->bytes, buffer->bytes + length, buffer->length);
}

static void mark_changed(Client *client) {
  if (client->is_changed) return;
  client->is_changed = true;
  client->next_changed = changed;
  changed = client;
}

static void drop(Client *client) {
  client->is_gone = true;
  mark_changed(client);
}

static void send_frame(Client *client, int opcode, const void *payload, size_t length) {
  uint8_t header[10] = {0x80 | opcode, length < 126 ? length : length < 65536 ? 126 : 127};
  int header_length = length < 126 ? 2 : length < 65536 ? 4 : 10;
  for (int i = 2; i < header_length; i++) header[i] = (uint64_t)length >> 8 * (header_length - 1 - i);
  if (client->is_gone) return;
  if (client->out.length + length > MAX_WAITING_BYTES) return drop(client);
  append(&client->out, header, header_length);
  append(&client->out, payload, length);
  mark_changed(client);
}

static void relay(Client *from, int opcode, const char *frame, size_t length) {
  const char *colon = memchr(frame, ':', length);
  size_t name_length = colon ? (size_t)(colon - frame) : length;
  const char *message = colon ? colon + 1 : frame + length;
  size_t message_length = frame + length - message;
  int id = 0;
  for (size_t i = 0; i < name_length && frame[i] >= '0' && frame[i] <= '9' && id < MAX_CLIENTS; i++)
    id = id * 10 + frame[i] - '0';
  if (id > 0 && id < MAX_CLIENTS && clients[id]) return send_frame(clients[id], opcode, message, message_length);
  if (name_length == 6 && !memcmp(frame, "#lobby", 6)) {
    for (int i = 1; i <= last_id; i++)
      if (clients[i] && clients[i]->is_member && clients[i] != from)
        send_frame(clients[i], opcode, message, message_length);
  } else if (name_length == 4 && !memcmp(frame, "join", 4)) {
    from->is_member = true;
    send_frame(from, TEXT, "joined", 6);
  } else {
    send_frame(from, TEXT, "no such id", 10);
  }
}

// Reads the frames that have arrived whole (RFC 6455, 5.2). No client of the benchmark sends fragments.
static void read_frames(Client *client) {
  size_t at = 0;
  while (client->in.length - at >= 2 && !client->is_gone) {
    uint8_t *frame = (uint8_t *)client->in.bytes + at;
    size_t available = client->in.length - at, header = 6, length = frame[1] & 0x7f;
    if (!(frame[0] & 0x80) || !(frame[1] & 0x80)) return drop(client);
    int length_bytes = length == 126 ? 2 : length == 127 ? 8 : 0;
    header += length_bytes;
    if (available < header) break;
    if (length_bytes) length = 0;
    for (int i = 0; i < length_bytes; i++) length = length << 8 | frame[2 + i];
    if (length > MAX_FRAME_BYTES) return drop(client);
    if (available < header + length) break;
    uint8_t *payload = frame + header, *mask = payload - 4;
    uint64_t word, wide;
    memcpy(&wide, mask, 4);
    memcpy((char *)&wide + 4, mask, 4);
    size_t i = 0;
    for (; i + 8 <= length; i += 8) {
      memcpy(&word, payload + i, 8);
      word ^= wide;
      memcpy(payload + i, &word, 8);
    }
    for (; i < length; i++) payload[i] ^= mask[i & 3];
    int opcode = frame[0] & 0x0f;
    if (opcode == CLOSE) return drop(client);
    if (opcode == PING) send_frame(client, PONG, payload, length);
    else if (opcode != PONG) relay(client, opcode, (char *)payload, length);
    at += header + length;
  }
  if (at > 0) consume(&client->in, at);
}

static uint32_t rotate(uint32_t value, int bits) { return value << bits | value >> (32 - bits); }

// SHA-1 (RFC 3174) of the 60 bytes of a key and the GUID of RFC 6455: with the padding, two blocks.
static void sha1_of_key(const char text[60], uint8_t digest[20]) {
  uint8_t blocks[128] = {0};
  uint32_t hash[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
  memcpy(blocks, text, 60);
  blocks[60] = 0x80;
  blocks[126] = (60 * 8) >> 8;
  blocks[127] = (60 * 8) & 0xff;
  for (int block = 0; block < 128; block += 64) {
    uint32_t w[80], a = hash[0], b = hash[1], c = hash[2], d = hash[3], e = hash[4];
    for (int i = 0; i < 16; i++) {
      memcpy(&w[i], blocks + block + 4 * i, 4);
      w[i] = ntohl(w[i]);
    }
    for (int i = 16; i < 80; i++) w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    for (int i = 0; i < 80; i++) {
      uint32_t f = i < 20 ? (b & c) | (~b & d) : i < 40 || i >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
      uint32_t k = i < 20 ? 0x5a827999 : i < 40 ? 0x6ed9eba1 : i < 60 ? 0x8f1bbcdc : 0xca62c1d6;
      uint32_t next = rotate(a, 5) + f + e + k + w[i];
      e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    hash[0] += a, hash[1] += b, hash[2] += c, hash[3] += d, hash[4] += e;
  }
  for (int i = 0; i < 20; i++) digest[i] = hash[i / 4] >> (24 - 8 * (i % 4));
}

static void upgrade(Client *client) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const char field[] = "\r\nSec-WebSocket-Key: ";
  char *end = memmem(client->in.bytes, client->in.length, "\r\n\r\n", 4);
  if (!end) return;
  char *key = memmem(client->in.bytes, end - client->in.bytes, field, sizeof field - 1);
  if (!key || end - (key + sizeof field - 1) < 24) return drop(client);
  char text[61], accept[29] = {0};
  uint8_t digest[21] = {0};
  snprintf(text, sizeof text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + sizeof field - 1);
  sha1_of_key(text, digest);
  for (int i = 0; i < 28; i++) {
    int bit = i * 6;
    accept[i] = digits[(digest[bit / 8] << 8 | digest[bit / 8 + 1]) >> (10 - bit % 8) & 63];
  }
  accept[27] = '=';
  char answer[256];
  int length = snprintf(answer, sizeof answer, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
  append(&client->out, answer, length);
  mark_changed(client);
  client->is_upgraded = true;
  consume(&client->in, end + 4 - client->in.bytes);
}

static void on_readable(Client *client) {
  size_t room = client->in.capacity - client->in.length;
  if (room < READ_BYTES) room = READ_BYTES;
  ssize_t length = recv(client->socket, reserve(&client->in, room), room, 0);
  if (length <= 0) {
    if (length == 0 || errno != EAGAIN) drop(client);
    return;
  }
  client->in.length += length;
  client->heard_ms = now_ms();
  if (!client->is_upgraded) upgrade(client);
  if (client->is_upgraded) read_frames(client);
}

static void flush(Client *client) {
  ssize_t sent = send(client->socket, client->out.bytes, client->out.length, MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return drop(client);
  if (sent > 0) consume(&client->out, sent);
  bool is_waiting = client->out.length > 0;
  if (is_waiting == client->is_waiting) return;
  client->is_waiting = is_waiting;
  struct epoll_event event = {.events = EPOLLIN | (is_waiting ? EPOLLOUT : 0), .data.ptr = client};
  epoll_ctl(poller, EPOLL_CTL_MOD, client->socket, &event);
}

static void end_turn(void) {
  while (changed) {
    Client *client = changed;
    changed = client->next_changed;
    client->is_changed = false;
    if (!client->is_gone && client->out.length > 0) flush(client);
    if (!client->is_gone || client->is_changed) continue;
    clients[client->id] = NULL;
    close(client->socket);
    free(client->in.bytes);
    free(client->out.bytes);
    free(client);
  }
}

static void accept_all(int listener) {
  int socket, on = 1;
  while (last_id + 1 < MAX_CLIENTS && (socket = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    Client *client = calloc(1, sizeof *client);
    if (!client) abort();
    *client = (Client){.socket = socket, .id = ++last_id, .heard_ms = now_ms()};
    clients[client->id] = client;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    epoll_ctl(poller, EPOLL_CTL_ADD, socket, &event);
  }
}

static void beat(void) {
  for (int id = 1; id <= last_id; id++) {
    if (!clients[id]) continue;
    if (now_ms() - clients[id]->heard_ms > SILENCE_MS) drop(clients[id]);
    else if (clients[id]->is_upgraded) send_frame(clients[id], PING, "", 0);
  }
}

int main(void) {
  const char *port = getenv("PORT");
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  address.sin_port = htons(port ? atoi(port) : 0);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 511)) return 1;
  getsockname(listener, (struct sockaddr *)&address, &size);
  printf("listening on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  poller = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN}, events[MAX_EVENTS];
  epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  for (int64_t next_beat = now_ms() + BEAT_MS;;) {
    int64_t left = next_beat - now_ms();
    int count = epoll_wait(poller, events, MAX_EVENTS, left > 0 ? left : 0);
    for (int i = 0; i < count; i++) {
      Client *client = events[i].data.ptr;
      if (!client) accept_all(listener);
      else if (events[i].events & EPOLLOUT) mark_changed(client);
      if (client && events[i].events & ~EPOLLOUT) on_readable(client);
    }
    if (now_ms() >= next_beat) {
      beat();
      next_beat += BEAT_MS;
    }
    end_turn();
  }
}
