package probe

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// session is one guest process: what it was told and what it made.
type session struct {
	plan Plan
	self string // path of this very binary
	seq  int
	out  io.Writer
	// sockets is the Unix sockets that the sweep came by.
	sockets []string
}

// probes is every probe by name. A name is stable: checks refer to it.
var probes = map[string]func(*session, *recorder){
	"marker":         marker,
	"ids":            ids,
	"fs.create":      fsCreate,
	"fs.sweep":       fsSweep,
	"dev.create":     devCreate,
	"tmp.write":      tmpWrite,
	"tmp.exec":       tmpExec,
	"tmp.stat":       tmpStat,
	"suid.plant":     suidPlant,
	"suid.run":       suidRun,
	"dev.open":       devOpen,
	"workspace":      workspace,
	"escalate":       escalate,
	"bind":           bindPorts,
	"rlimit.nofile":  rlimitNoFile,
	"rlimit.core":    rlimitCore,
	"caps.acts":      capActs,
	"net.admin":      netAdmin,
	"net.interfaces": netInterfaces,
	"namespaces":     namespaces,
	"mounts":         mountTable,
	"sockets":        sockets,
	"syscall.filter": syscallFilter,
	"syscall.sweep":  callSweep,
	"kernel.free":    kernelFree,
	"kernel.caps":    kernelCaps,
	"net.packet":     packetSocket,
	"exhaust.tmpfs":  exhaustTmpfs,
	"exhaust.memory": exhaustMemory,
	"exhaust.cpu":    exhaustCPU,
	"exhaust.pids":   exhaustPIDs,
	"secrets.env":    secretsEnv,
	"secrets.files":  secretsFiles,
	"secrets.canary": secretsCanary,
	"net.route":      netRoute,
	"net.host":       netHost,
	"net.dns":        netDNS,
	"proc.masked":    procMasked,
	"proc.write":     procWrite,
	"sys.write":      sysWrite,
	"cgroup.write":   cgroupWrite,
	"dev.list":       devList,
	"dev.make":       devMake,
	"memfd":          memfdExec,
	"env.commands":   envCommands,
	"env.python":     envPython,
	"env.git":        envGit,
}

// Names lists every probe.
func Names() []string {
	names := make([]string, 0, len(probes))
	for n := range probes {
		names = append(names, n)
	}
	return names
}

// Serve reads plans and writes observations until it is told to leave. It
// returns the process's exit code.
//
// The image's own programs run beside it as the same user. They must not read
// the nonce out of its memory or write lines of their own into its output, so
// it makes itself undumpable first: the kernel then gives /proc/PID/mem and
// /proc/PID/fd to root (proc(5)).
func Serve(in io.Reader, out io.Writer) int {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "tightship-guest: cannot protect itself from the image's programs:", err)
		return ExitProtocol
	}
	// Two threads do, whatever the host's cores or the image's GOMAXPROCS: each
	// counts against the container's limit on processes.
	runtime.GOMAXPROCS(2)
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	s := &session{self: self, out: out}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, MaxLine)
	for lines.Scan() {
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		s.plan = Plan{}
		if err := dec.Decode(&s.plan); err != nil {
			fmt.Fprintln(os.Stderr, "tightship-guest: bad plan:", err)
			return ExitProtocol
		}
		if s.seq == 0 && !s.emit(Line{}) {
			return ExitAbandoned
		}
		for _, o := range s.observeAll() {
			if !s.emit(Line{Observation: o()}) {
				return ExitAbandoned
			}
		}
		if !s.emit(Line{Done: true}) {
			return ExitAbandoned
		}
		if s.plan.Exit != nil {
			return *s.plan.Exit
		}
	}
	return ExitAbandoned
}

// observeAll returns one function per probe of the plan, to be called in order.
// Most of them do the work when they are called: probes share a process and
// must not see each other's effects. Those that run the image's own programs
// are started at once, as a program may take seconds to start.
func (s *session) observeAll() []func() *Observation {
	all := make([]func() *Observation, 0, len(s.plan.Probes))
	for _, name := range s.plan.Probes {
		if !strings.HasPrefix(name, "env.") || s.plan.Params.OneByOne {
			all = append(all, func() *Observation { return s.observe(name) })
			continue
		}
		done := make(chan *Observation, 1)
		go func() { done <- s.observe(name) }()
		all = append(all, func() *Observation { return <-done })
	}
	return all
}

// observe takes one observation. A probe that panics has failed to measure,
// nothing more.
func (s *session) observe(name string) (o *Observation) {
	o = &Observation{Probe: name}
	r := &recorder{obs: o}
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			r.fail("the probe crashed: %v", p)
		}
		o.Duration = time.Since(start).Microseconds()
	}()
	f, ok := probes[name]
	if !ok {
		r.fail("this guest has no probe of that name")
		return o
	}
	f(s, r)
	return o
}

func (s *session) emit(l Line) bool {
	l.Nonce, l.Seq = s.plan.Nonce, s.seq
	s.seq++
	b, err := json.Marshal(l)
	if err != nil {
		return false
	}
	_, err = s.out.Write(append(b, '\n'))
	return err == nil
}

// places is where this container lets anyone write: the declared tmpfs mounts,
// then the two that engines add by themselves. What is the host's is none.
func (s *session) places() []string {
	return slices.DeleteFunc(append(slices.Clone(s.plan.Params.Tmpfs), "/dev/shm", "/dev"), s.hosts)
}

// hosts says whether a path is the host's own, so that nothing may be made there
// that anybody could see.
func (s *session) hosts(path string) bool {
	return slices.ContainsFunc(s.plan.Params.Host, func(d string) bool { return within(path, d) || within(real(path), real(d)) })
}

// real follows the symbolic links of a path, as the engine did when it mounted
// something there.
func real(path string) string {
	if r, err := filepath.EvalSymlinks(path); err == nil {
		return r
	}
	return path
}

// scratch is the first place in which this user can make a file.
func (s *session) scratch() (string, error) {
	for _, dir := range s.places() {
		if err := createIn(dir, true); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no writable place to work in")
}

// unique is a name in dir that nobody else can have chosen.
func (s *session) unique(dir, what string) string {
	n := s.plan.Nonce
	if len(n) > 12 {
		n = n[:12]
	}
	return filepath.Join(dir, fmt.Sprintf(".tightship-%s-%s-%s", n, s.plan.Role, what))
}
