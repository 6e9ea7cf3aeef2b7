package policy

import (
	"regexp"
	"slices"
	"strings"
)

// capabilities is every capability of Linux 5.9 and later (capability.h), plus
// ALL, which engines know.
var capabilities = []string{
	"ALL",
	"AUDIT_CONTROL", "AUDIT_READ", "AUDIT_WRITE", "BLOCK_SUSPEND", "BPF",
	"CHECKPOINT_RESTORE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",
	"FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE",
	"MAC_ADMIN", "MAC_OVERRIDE", "MKNOD", "NET_ADMIN", "NET_BIND_SERVICE",
	"NET_BROADCAST", "NET_RAW", "PERFMON", "SETFCAP", "SETGID", "SETPCAP",
	"SETUID", "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE",
	"SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
	"SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM",
}

// ipcSysctls are the kernel.* sysctls that belong to the IPC namespace; engines
// refuse any other, because it would change the host.
var ipcSysctls = []string{
	"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
	"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
}

const (
	sysctlPattern  = `^(net|fs\.mqueue|kernel)(\.[A-Za-z0-9_-]+)+$`
	userPattern    = `^([A-Za-z_][A-Za-z0-9_.-]{0,31})?$`
	imagePattern   = `^[A-Za-z0-9][A-Za-z0-9._/:@-]*$`
	runtimePattern = `^([A-Za-z0-9/][A-Za-z0-9._/-]*)?$`
	importPattern  = `^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$`
	checkPattern   = `^[a-z0-9]+([._-][a-z0-9]+)*(\[[A-Za-z0-9._#+-]+\])?$`
)

var (
	sysctlRE  = regexp.MustCompile(sysctlPattern)
	userRE    = regexp.MustCompile(userPattern)
	imageRE   = regexp.MustCompile(imagePattern)
	runtimeRE = regexp.MustCompile(runtimePattern)
	importRE  = regexp.MustCompile(importPattern)
	checkRE   = regexp.MustCompile(checkPattern)
)

// A rule looks at a text and says what is wrong with it, or "". The second
// value is what was probably meant.
type rule func(string) (problem, nearest string)

// matching makes a rule of a pattern, whose form is told in words.
func matching(re *regexp.Regexp, want string) rule {
	return func(s string) (string, string) {
		if re.MatchString(s) {
			return "", ""
		}
		return "want " + want + ", found " + quoted(s), ""
	}
}

// anyRegexp accepts whatever the regexp package compiles.
func anyRegexp(s string) (string, string) {
	if _, err := regexp.Compile(s); err != nil {
		return err.Error(), ""
	}
	return "", ""
}

// capability wants a capability's name, with or without CAP_.
func capability(s string) (string, string) {
	name := strings.TrimPrefix(s, "CAP_")
	if slices.Contains(capabilities, name) {
		return "", ""
	}
	return "unknown capability " + quoted(s), Nearest(strings.TrimPrefix(strings.ToUpper(s), "CAP_"), capabilities)
}

// sysctl wants a sysctl that a container has to itself.
func sysctl(name string) string {
	switch {
	case len(name) > 255 || !sysctlRE.MatchString(name),
		strings.HasPrefix(name, "kernel.") && !slices.Contains(ipcSysctls, name):
		return "is not a sysctl a container can have for itself (net.*, fs.mqueue.*, kernel.msg*, kernel.shm*, kernel.sem)"
	}
	return ""
}
