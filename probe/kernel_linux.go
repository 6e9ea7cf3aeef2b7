package probe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// The acts of this file are about parts of the kernel that an agent has no use
// for. An attempt's On names the part, so that each row finds its own.

// deniedFamilies are the socket families that the pinned profile denies and
// that some kernels have. It denies none of netlink's.
var deniedFamilies = []struct {
	name   string
	family uintptr
}{
	{"AF_VSOCK", unix.AF_VSOCK}, {"AF_ALG", unix.AF_ALG}, {"AF_AX25", unix.AF_AX25}, {"AF_IPX", unix.AF_IPX}, {"AF_APPLETALK", unix.AF_APPLETALK},
	{"AF_NETROM", unix.AF_NETROM}, {"AF_ROSE", unix.AF_ROSE}, {"AF_DECnet", unix.AF_DECnet}, {"AF_ECONET", unix.AF_ECONET}, {"AF_ATMSVC", unix.AF_ATMSVC},
	{"AF_IRDA", unix.AF_IRDA}, {"AF_ISDN", unix.AF_ISDN}, {"AF_CAIF", unix.AF_CAIF},
}

// kernelFree makes the acts that no capability is needed for, so that the filter
// alone stands in their way.
func kernelFree(s *session, r *recorder) {
	// An impossible type: the kernel complains of it before it looks for the
	// family, and so loads no module for one that it has not.
	for _, f := range deniedFamilies {
		permitted(r.try("socket("+f.name+")", "sockets", rawCall(unix.SYS_SOCKET, f.family, noID, 0)()), "EINVAL")
	}
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
	permitted(r.try("keyctl for its own keyring", "keyring", err), "ENOKEY")
	limit := []string{"ENOSPC", "EUSERS"} // a limit, past the filter
	permitted(r.try("clone into a user namespace", "user namespace", inNamespaces(0, unix.SYS_GETPID)), limit...)
	// With the capabilities that a new user namespace gives.
	permitted(r.try("mount in a user namespace of its own", "mount",
		inNamespaces(unix.CLONE_NEWNS, unix.SYS_MOUNT, textNone.at(), textRoot.at(), textTmpfs.at(), 0, textOption.at())), "EINVAL")
	// It would end that namespace and nothing else: what is shown is the call.
	permitted(r.control("reboot of a PID namespace of its own", "modules", inNamespaces(unix.CLONE_NEWPID, unix.SYS_REBOOT, 1, 1, 1)), "EINVAL")
	r.fact("lsm", ownLabel())
}

// kernelCaps makes the acts that a capability is needed for. Each asks for the
// permission before it finds an argument that is bad on purpose.
func kernelCaps(s *session, r *recorder) {
	scratch, err := s.scratch()
	if err != nil {
		r.fail("%v", err)
		return
	}
	t := &capPlace{dir: scratch, file: s.unique(scratch, "kernel")}
	if err := os.WriteFile(t.file, nil, 0o600); err != nil {
		r.fail("cannot make a file to work with: %v", err)
		return
	}
	defer os.Remove(t.file)
	permitted(r.try("mount a tmpfs with an impossible option", "mount", mountBad(t)), "EINVAL")
	permitted(r.try("open_by_handle_at", "handles", openMadeUp(scratch)), "EINVAL", "ESTALE")
	permitted(r.try("init_module of nothing", "modules", rawCall(unix.SYS_INIT_MODULE, badPtr, 0, badPtr)()), "ENOEXEC", "EFAULT")
	permitted(r.try("delete_module of none", "modules", rawCall(unix.SYS_DELETE_MODULE, textNone.at(), 0, 0)()), "ENOENT")
	permitted(r.try("kexec_load with impossible flags", "modules", rawCall4(unix.SYS_KEXEC_LOAD, 0, 0, 0, 0xffffffff)), "EINVAL")
	permitted(r.try("reboot with a wrong magic number", "modules", rawCall(unix.SYS_REBOOT, 1, 1, 1)()), "EINVAL")
	s.readOther(r, scratch)
}

// packetSocket opens a packet socket that no packet reaches, which takes
// CAP_NET_RAW. Where the kernel has none, asking would load the module.
func packetSocket(s *session, r *recorder) {
	_, err := os.Stat("/proc/self/net/packet")
	if err != nil {
		err = unix.EAFNOSUPPORT
	} else {
		var p int
		if p, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err == nil {
			unix.Close(p)
		}
	}
	r.try("socket(AF_PACKET)", "", err)
}

// openMadeUp opens a handle that names no file. The permission is asked for
// before the handle is looked at, and also where a file system has none.
func openMadeUp(dir string) error {
	d, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(d)
	f, err := unix.OpenByHandleAt(d, unix.NewFileHandle(1, make([]byte, 8)), unix.O_RDONLY|unix.O_CLOEXEC)
	if err == nil {
		unix.Close(f)
	}
	return err
}

// readOther reads the memory of the user's guest, at an address where nothing
// is, and a child's of its own as the control. The kernel asks for the same
// permission as for attaching with ptrace (ptrace(2), PTRACE_MODE_ATTACH), but
// nothing is attached: gVisor was seen to lose the end of a child whose tracer
// ended with it.
func (s *session) readOther(r *recorder, scratch string) {
	// A program of its own: one that is only forked cannot be read either, as this
	// process made itself undumpable.
	child := exec.Command(s.self, "wait")
	in, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err == nil {
		err = readRemote(child.Process.Pid)
		in.Close()
		child.Wait()
	}
	permitted(r.control("read its own child's memory", "ptrace", err), "EFAULT")
	t := &capPlace{other: filepath.Join(scratch, ".tightship-marker", "file")}
	if !t.foreign() {
		r.try("read another user's process", "ptrace", unix.ESRCH).Note = "no other user to try it on"
		return
	}
	permitted(r.try("read another user's process", "ptrace", readRemote(t.pid)), "EFAULT")
}

// ownLabel is the label that AppArmor or SELinux confines this process by, ""
// where the kernel has neither (apparmor(7), selinux(8)).
func ownLabel() string {
	for _, name := range []string{"/proc/self/attr/apparmor/current", "/proc/self/attr/current"} {
		if label, err := os.ReadFile(name); err == nil {
			return strings.TrimRight(string(label), "\n\x00")
		}
	}
	return ""
}
