package verify

import (
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tightship-dev/tightship/mutate"
)

// A container that shares the host's memory is verified without anything getting
// a name there, for however short a time.
func TestRealHostMemoryIsLeftAlone(t *testing.T) {
	eng, o := real(t)
	m, ok := mutate.ByID("ns.ipc-host")
	if !ok {
		t.Fatal("no such mutation")
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if _, err := unix.InotifyAddWatch(fd, "/dev/shm", unix.IN_CREATE|unix.IN_MOVED_TO); err != nil {
		t.Fatal(err)
	}
	weakened(t, eng, o, m)
	buf := make([]byte, 64<<10)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return // EAGAIN: that was all
		}
		for at := 0; at < n; {
			event := (*unix.InotifyEvent)(unsafe.Pointer(&buf[at]))
			name := unix.ByteSliceToString(buf[at+unix.SizeofInotifyEvent : at+unix.SizeofInotifyEvent+int(event.Len)])
			if strings.HasPrefix(name, ".tightship") {
				t.Errorf("%s was there", name)
			}
			at += unix.SizeofInotifyEvent + int(event.Len)
		}
	}
}
