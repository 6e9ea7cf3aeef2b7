package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"strings"

	"github.com/moby/sys/user"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
	"github.com/tightship-dev/tightship/policy"
)

// Somebody's container is never entered, paused or changed. Its settings are
// read from the engine and its state from the host's kernel; what is attacked
// is a twin with the same settings, and the two are compared (the drift.*
// checks). The twin shares nothing with the original that could be harmed:
// volumes and writable host paths become empty stand-ins, and another
// container's namespaces are not joined.

// Errors about the container to verify.
var (
	// ErrNoCopies says that the engine cannot make a container like another.
	ErrNoCopies = errors.New("this engine cannot make a container like another")
	// ErrOwnTwin says that the container to verify is one that a verification made.
	ErrOwnTwin = errors.New("this is a twin that tightship made")
)

// original is the container that the twins stand in for.
type original struct {
	eng    engine.Copier
	state  engine.State
	kernel *kernel.State // nil when it could not be read; note says why
	note   string
	// members is the container's other processes; membersNote says why some are
	// missing.
	members     []*kernel.State
	membersNote string
	host        map[string]string // the namespaces of the host's first process
	mounts      []kernel.Mount    // its mount table
	// notShared is what the twin has in another way, one sentence each.
	notShared []string
	// wantedRuntime is what a given policy asks for.
	wantedRuntime string
	// ask says that no policy named the user.
	ask bool
	// digest is that of its settings as the engine reports them.
	digest string
}

// find reads the container and, where o has no policy, derives one from it.
// mounts is the host's mount table, where that is known.
func (r *run) find(ctx context.Context, ref string, mounts []kernel.Mount) error {
	copier, ok := r.eng.(engine.Copier)
	if !ok {
		return fmt.Errorf("%w: %s", ErrNoCopies, r.info.Name)
	}
	st, err := copier.Inspect(ctx, ref)
	if err != nil {
		return fmt.Errorf("%w: %s", err, ref)
	}
	switch {
	case st.Record == nil:
		return fmt.Errorf("%w: %s does not report every setting of a container", ErrNoCopies, r.info.Name)
	case st.Image == "":
		return fmt.Errorf("%w: container %s has no image", engine.ErrBadAnswer, ref)
	}
	if engine.Ours(st.Name, st.Declared.Labels) {
		return fmt.Errorf("%w: %s", ErrOwnTwin, ref)
	}
	o := &original{eng: copier, state: st, ask: r.opts.Policy == nil, host: r.host, mounts: mounts, digest: Declared(st)}
	o.state.Declared.Mounts = r.reallyReadOnly(o)
	declared := o.state.Declared
	declared.Runtime = cmp.Or(declared.Runtime, r.info.Runtime)
	p := policy.ForContainer(declared, policy.Host{Memory: r.info.Memory, MilliCPU: 1000 * int64(r.info.NCPU)})
	if r.opts.Policy != nil {
		given := *r.opts.Policy
		p = &given
		if _, written := given.Origins["runtime"]; written {
			o.wantedRuntime = given.Runtime
		}
		p.Image, p.Runtime = st.Declared.Image, declared.Runtime
	}
	r.opts.Policy, r.original = p, o
	switch {
	case !st.Running:
		o.note = "it is not running"
	case !r.info.Local:
		o.note = "the engine runs on another host"
	default:
		o.kernel, o.note = process(st)
		o.readMembers()
	}
	return nil
}

// membersRead is how many of a container's processes are looked at.
const membersRead = 500

// readMembers reads the container's other processes: one that came in from
// outside may have more than the first.
func (o *original) readMembers() {
	if o.kernel == nil {
		return
	}
	members, more, err := o.kernel.Members(membersRead)
	switch o.members = members; {
	case err != nil:
		o.membersNote = "the container's other processes cannot be read: " + err.Error()
	case more:
		o.membersNote = fmt.Sprintf("only %d of the container's processes were looked at", membersRead)
	}
}

// ofHost is the namespaces and the mounts of the host's first process, and our
// own where we may not look at that one's.
func ofHost() (namespaces map[string]string, mounts []kernel.Mount) {
	namespaces = map[string]string{}
	for _, pid := range []int{os.Getpid(), 1} {
		if k, err := kernel.Read(pid); err == nil {
			maps.Copy(namespaces, k.Namespaces)
			mounts = k.Mounts
		}
	}
	return namespaces, mounts
}

// process reads what the kernel says of the process that the engine names. One
// that is not in the container's cgroup is another kernel's, whose numbers mean
// other processes here.
func process(st engine.State) (*kernel.State, string) {
	k, err := kernel.Read(st.PID)
	if err != nil {
		return nil, err.Error()
	}
	if !strings.Contains(k.Cgroup.Path, st.ID) {
		return nil, "the process of that number here is not in the container's cgroup"
	}
	return k, ""
}

// resolve finds out who the container runs as, from the image's own files in a
// twin. An id that is below the bar is not taken over.
func (r *run) resolve(ctx context.Context, twin string) error {
	o := r.original
	read := func(path string) (io.Reader, error) {
		data, err := o.eng.ReadFile(ctx, twin, path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the image's %s: %w", path, err)
		}
		return bytes.NewReader(data), nil
	}
	passwd, err := read("/etc/passwd")
	if err != nil {
		return err
	}
	group, err := read("/etc/group")
	if err != nil {
		return err
	}
	u, err := user.GetExecUser(o.state.Declared.User, nil, passwd, group)
	if err != nil {
		// The engine would not start it either, and says so better.
		return nil
	}
	if u.Uid != 0 {
		r.opts.Policy.User.UID = int64(u.Uid)
	}
	if u.Gid != 0 {
		r.opts.Policy.User.GID = int64(u.Gid)
	}
	return nil
}

// judgeOriginal has the main twin stand for the original: what is judged is that
// one's settings. That the twin has the same ones is for drift.settings to say.
func (r *run) judgeOriginal(main *check.TwinState) {
	if r.original != nil {
		main.Declared, main.Other = r.original.state.Declared, r.original.state.Other
	}
}

// account is what the judges are told of the original.
func (o *original) account() *check.Original {
	return &check.Original{
		Running: o.state.Running, Declared: o.state.Declared, Other: o.state.Other,
		Kernel: o.kernel, KernelNote: o.note, Members: o.members, MembersNote: o.membersNote, Host: o.host, HostMounts: o.mounts, NotShared: o.notShared,
		Runtime: o.wantedRuntime,
	}
}
