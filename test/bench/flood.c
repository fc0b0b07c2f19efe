// Packets for `npm run bench -- --only capture`: flood ADDRESS PORT RATE SECONDS BYTES sends so many packets
// of UDP a second, each with its number, by sendmmsg(2), and prints how many went out and in how many
// milliseconds.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { BATCH = 32, BYTES_MOST = 1472 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    static unsigned char bytes[BATCH][BYTES_MOST];
    struct mmsghdr messages[BATCH] = {0};
    struct iovec parts[BATCH];
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (argc != 6 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) return 2;
    to.sin_port = htons((uint16_t)atoi(argv[2]));
    double rate = atof(argv[3]), seconds = atof(argv[4]);
    size_t size = (size_t)atoi(argv[5]);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || size < 8 || size > BYTES_MOST || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        return 1;
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){bytes[i], size};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    uint64_t sent = 0;
    double start = now(), end = start, last = start, credit = 0;
    for (; end < start + seconds; last = end) {
        end = now();
        // What could not be sent in time is not sent in a burst later.
        credit += (end - last) * rate;
        if (credit > rate / 200 + BATCH) credit = rate / 200 + BATCH;
        if (credit < BATCH) continue;
        for (unsigned i = 0; i < BATCH; i++) {
            uint64_t number = sent + i;
            memcpy(bytes[i], &number, sizeof number);
        }
        int done = sendmmsg(fd, messages, BATCH, 0);
        if (done > 0) sent += (uint64_t)done, credit -= done;
    }
    printf("%llu %.0f\n", (unsigned long long)sent, (end - start) * 1000);
    return 0;
}
