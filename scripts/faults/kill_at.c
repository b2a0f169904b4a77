/* Runs a command and kills it as it enters a system call for the Nth time in one of its threads.
 *
 * usage: kill_at CALL N COMMAND ARGUMENT...      CALL is a number
 *
 * strace can do that too, but it stops at every call then: its --seccomp-bpf knows of no signals. Ends with
 * 137 where the command was killed, else with the status of the command. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 1024

static struct {
  pid_t thread;
  long calls;
} seen[THREADS];

static long count(pid_t thread) {
  for (int i = 0; i < THREADS; i++) {
    if (seen[i].thread == 0) seen[i].thread = thread;
    if (seen[i].thread == thread) return ++seen[i].calls;
  }
  return 0;
}

static void begin(long call, char **command) {
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = {sizeof code / sizeof *code, code};
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  /* Until the options are set. */
  raise(SIGSTOP);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter)) {
    perror("kill_at: seccomp");
    _exit(126);
  }
  execv(command[0], command);
  perror("kill_at: exec");
  _exit(126);
}

int main(int arguments, char **argument) {
  if (arguments < 4) return 126;
  long call = atol(argument[1]), number = atol(argument[2]);
  int status;
  pid_t child = fork();
  if (child == 0) begin(call, argument + 3);
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return 126;
  long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                 PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SETOPTIONS, child, 0, options)) return 126;
  ptrace(PTRACE_CONT, child, 0, 0);
  for (;;) {
    pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0 && errno == EINTR) continue;
    if (thread < 0) return 126;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (thread != child) continue;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    int signal = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP && count(thread) == number) {
      kill(child, SIGKILL);
      continue;
    }
    /* A new thread stops once; that is no signal of its own. */
    if (event || signal == SIGSTOP || signal == SIGTRAP) signal = 0;
    ptrace(PTRACE_CONT, thread, 0, signal);
  }
}
