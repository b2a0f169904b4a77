/* Works on files beside tfpatch until it gets SIGTERM, for scripts/faults/races.
 *
 * usage: racer DIRECTORY SEED exchange A B              exchanges two names, and leaves them as they were
 *        racer DIRECTORY SEED install NAME FILE...      puts a copy of one of the files under NAME
 *        racer DIRECTORY SEED link NAME OTHER           makes and removes a hard link
 *
 * It begins when DIRECTORY has a record that is pending, if SEED is odd: then it is in the way of what
 * writes, else of what looks for libraries too. How fast it is depends on SEED. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

static volatile sig_atomic_t stopped;

static void stop(int signal) {
  (void)signal;
  stopped = 1;
}

static int is_pending(const char *path) {
  DIR *directory = opendir(path);
  struct dirent *entry;
  int found = 0;
  if (!directory) return 0;
  while ((entry = readdir(directory))) found |= strstr(entry->d_name, ".pending") != NULL;
  closedir(directory);
  return found;
}

static void pause_for(int turns) {
  for (volatile int i = 0; i < turns; i++) continue;
}

/* As an installer does it: the whole file under another name first. */
static int install(const char *from, const char *name) {
  static char bytes[1 << 20];
  char temporary[4096];
  snprintf(temporary, sizeof temporary, "%s.installing", name);
  int in = open(from, O_RDONLY), out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  ssize_t len = in < 0 ? -1 : read(in, bytes, sizeof bytes);
  int failed = len < 0 || out < 0 || write(out, bytes, len) != len || fchmod(out, 0755);
  close(in);
  close(out);
  return failed || rename(temporary, name);
}

int main(int arguments, char **argument) {
  if (arguments < 6) return 2;
  srand(atoi(argument[2]));
  int turns = rand() % 20000, lead = rand() % 60000, times = 0;
  signal(SIGTERM, stop);
  while (atoi(argument[2]) % 2 && !stopped && !is_pending(argument[1])) continue;
  pause_for(lead);
  for (; !stopped; times++) {
    int failed = 0;
    switch (argument[3][0]) {
    case 'e':
      failed = renameat2(AT_FDCWD, argument[4], AT_FDCWD, argument[5], RENAME_EXCHANGE);
      break;
    case 'i':
      failed = install(argument[5 + rand() % (arguments - 5)], argument[4]);
      break;
    default:
      /* The file may just be exchanged for another. */
      if (link(argument[4], argument[5]) == 0) {
        pause_for(turns);
        failed = unlink(argument[5]);
      }
    }
    if (failed) {
      perror("racer");
      return 1;
    }
    pause_for(turns);
  }
  if (argument[3][0] == 'e' && times % 2)
    renameat2(AT_FDCWD, argument[4], AT_FDCWD, argument[5], RENAME_EXCHANGE);
  printf("%d\n", times);
  return 0;
}
