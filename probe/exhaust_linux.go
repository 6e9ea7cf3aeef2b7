package probe

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// The exhaustion probes run only in a disposable twin whose limits were scaled
// down, and each works in a child or on a file of its own: reaching a limit
// must hit the child and never the guest that reports it.

// exhaustTmpfs writes towards the declared size of each tmpfs until refused.
func exhaustTmpfs(s *session, r *recorder) {
	for _, dir := range s.plan.Params.Tmpfs {
		name := s.unique(dir, "fill")
		written, err := fill(name, s.plan.Params.TmpfsFill)
		os.Remove(name)
		r.control("write the first page", dir, boolErr(written < 4<<10, "refused early"))
		a := r.try("write without end", dir, err)
		a.Note = fmt.Sprintf("%d bytes", written)
	}
}

func fill(name string, most int64) (written int64, err error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for written < most {
		n, err := f.Write(block)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// exhaustMemory has a child touch memory past the limit. The child says when it
// reached half: that is the control.
func exhaustMemory(s *session, r *recorder) {
	var out bytes.Buffer
	cmd := exec.Command(s.self, "touch", strconv.FormatInt(s.plan.Params.Memory, 10))
	cmd.Stdout = &out
	cmd.Env = []string{"GOMAXPROCS=1"}
	err := cmd.Run()
	r.control("touch half", "", boolErr(!strings.Contains(out.String(), "half"), "not reached"))
	a := r.try("touch past the limit", "", nil)
	a.Note = strings.Join(strings.Fields(out.String()), " ")
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		a.OK, a.Errno = false, "error"
		if st, ok := exit.Sys().(interface{ Signal() unix.Signal }); ok && st.Signal() == unix.SIGKILL {
			a.Errno = "SIGKILL"
		}
	} else if err != nil {
		a.OK, a.Errno = false, "error"
	}
}

// helperTouch touches bytes of anonymous memory, one page at a time. A plan has
// it touch one and a half times the limit, so that a third is half the limit:
// the guest and the kernel's own tables need room beside it.
func helperTouch(size int) {
	// The kernel must pick this process, not the guest that waits for it. It says
	// so before it touches anything; raising needs no privilege.
	if err := os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0); err != nil {
		fmt.Println("oom_score_adj", errnoName(err))
		os.Exit(1)
	}
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		fmt.Println("mmap", errnoName(err))
		os.Exit(1)
	}
	half := size / 3 / 4096 * 4096
	for i := 0; i < size; i += 4096 {
		if i == half {
			fmt.Println("half")
		}
		mem[i] = 1
	}
	fmt.Println("all")
}

// Bounds of the burning: a quota is accounted per period of 100 ms, and on a
// busy host it can take many of them until the threads get their share.
const (
	burnLeast = 350 * time.Millisecond // of a burning that nothing throttles
	burnMost  = 20 * time.Second
	burnBlind = 500 * time.Millisecond // where no counter shows that it worked
	burnOnce  = 200 * time.Millisecond // where the host sees a counter, and asks for more
	burnCalm  = 3 * time.Second        // until the quota's average shows, once it throttled
)

// exhaustCPU burns on several threads until it got more CPU time than it should
// or its own cgroup says that it was throttled, and reports what it got in the
// last burnLeast.
func exhaustCPU(s *session, r *recorder) {
	threads := s.plan.Params.Threads
	runtime.GOMAXPROCS(threads + 1)
	throttledBefore, visible := throttled()
	blind := burnBlind
	if _, gvisor := ownKernel(); gvisor {
		blind = burnOnce
	}
	before, start := cpuTime(), time.Now()
	var stop atomic.Bool
	var all sync.WaitGroup
	for range threads {
		all.Go(func() {
			for !stop.Load() {
				for range 4096 {
				}
			}
		})
	}
	// What a busy host gives comes and goes: the threads are past what they should
	// get once they were for a while, however little they got before.
	type sample struct{ wall, cpu time.Duration }
	samples := []sample{{0, 0}}
	var counted time.Duration // when the counter moved
	for {
		time.Sleep(20 * time.Millisecond)
		samples = append(samples, sample{time.Since(start), cpuTime() - before})
		last := samples[len(samples)-1]
		for len(samples) > 1 && last.wall-samples[1].wall >= burnLeast {
			samples = samples[1:]
		}
		if now, _ := throttled(); visible && now > throttledBefore && counted == 0 {
			counted = last.wall
		}
		enough := last.wall > blind
		if visible {
			rate := (last.cpu - samples[0].cpu) * 1000 / (last.wall - samples[0].wall) // thousandths of a CPU
			most := time.Duration(s.plan.Params.MilliCPU)
			switch {
			case counted == 0:
				enough = last.wall > burnMost || last.wall > burnLeast && rate > most
			// A kernel whose ticks come late, as in a virtual machine, gives too much at
			// first and takes it back later.
			case last.wall > burnLeast:
				enough = rate < most*3/4 || last.wall > counted+burnCalm
			default:
				enough = true
			}
		}
		if enough {
			break
		}
	}
	wall, cpu := time.Since(start)-samples[0].wall, cpuTime()-before-samples[0].cpu
	stop.Store(true)
	all.Wait()
	if now, ok := throttled(); visible && ok {
		r.fact("throttled", now-throttledBefore)
	}
	r.fact("threads", threads)
	r.fact("wall_us", wall.Microseconds())
	r.fact("cpu_us", cpu.Microseconds())
}

// throttled reads how often this container's own cgroup was throttled, where
// the container can see that (cgroup v1 and v2).
func throttled() (n int64, visible bool) {
	own, _ := cgroupPath() // in the host's tree, where the container sees that one
	for _, f := range []string{"/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat", "/sys/fs/cgroup" + own + "/cpu.stat"} {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			if v, ok := strings.CutPrefix(line, "nr_throttled "); ok {
				n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
				return n, err == nil
			}
		}
	}
	return 0, false
}

func cpuTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// exhaustPIDs forks children that stay alive, counts them, and removes them.
func exhaustPIDs(s *session, r *recorder) {
	spareThreads(4)
	out, err := run(s.self, "forks", strconv.FormatInt(s.plan.Params.PIDs, 10))
	var base, forks int
	var name string
	if err == nil {
		if _, serr := fmt.Sscanf(out, "base=%d forks=%d errno=%s", &base, &forks, &name); serr != nil {
			err = fmt.Errorf("unexpected answer %q", out)
		}
	}
	if err != nil {
		r.fail("the child that forks failed: %v", err)
		return
	}
	r.fact("base", base)
	r.fact("forks", forks)
	r.control("first fork", "", boolErr(forks == 0, name))
	a := r.try("fork without end", "", nil)
	if name != "none" {
		a.OK, a.Errno = false, name
	}
}

// spareThreads leaves idle threads to Go's runtime: at the limit it could not
// start one, and would end the process over it.
func spareThreads(n int) {
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			runtime.LockOSThread()
			time.Sleep(5 * time.Millisecond)
			runtime.UnlockOSThread()
		})
	}
	all.Wait()
}

// helperForks makes up to most children. Between the first fork and the last
// kill it makes raw system calls only: at the limit Go's runtime could not
// start a thread, and would end the process over it.
func helperForks(most int) {
	pids := make([]int, 0, most)
	base := tasks()
	var failed unix.Errno
	for len(pids) < most {
		pid, e := fork()
		if e != 0 {
			failed = e
			break
		}
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		unix.RawSyscall(unix.SYS_KILL, uintptr(pid), uintptr(unix.SIGKILL), 0)
	}
	for _, pid := range pids {
		unix.RawSyscall6(unix.SYS_WAIT4, uintptr(pid), 0, 0, 0, 0, 0)
	}
	name := "none"
	if failed != 0 {
		name = errnoName(failed)
	}
	fmt.Printf("base=%d forks=%d errno=%s\n", base, len(pids), name)
}

// tasks counts the threads this container has, which is what the pids
// controller counts.
func tasks() int {
	dirs, _ := filepath.Glob("/proc/[0-9]*/task/[0-9]*")
	return len(dirs)
}
