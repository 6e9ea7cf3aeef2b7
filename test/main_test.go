package test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// agent is the reference image.
const agent = "tightship-agent:latest"

// bin is where this run's builds are: tightship, tightship-guest, inmate and
// the lying guests. Others may read it, for the runs as another user.
var bin string

func TestMain(m *testing.M) {
	if os.Getenv("TIGHTSHIP_E2E") == "" {
		os.Exit(m.Run()) // each test says that it is skipped
	}
	os.Exit(func() int {
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "the end-to-end lane cannot start:", err)
			return 1
		}
		defer os.RemoveAll(bin)
		defer removeImages()
		return m.Run()
	}())
}

// lane skips a test, loudly, where the lane is off.
func lane(t *testing.T) {
	t.Helper()
	if os.Getenv("TIGHTSHIP_E2E") == "" {
		t.Skip("SKIPPED: the end-to-end lane is off (TIGHTSHIP_E2E=1 switches it on where there is an engine)")
	}
}

// prepare builds the programs from this tree, so that no stale one is tested,
// and looks whether the lane has what it needs.
func prepare() error {
	var err error
	if bin, err = os.MkdirTemp("", "tightship-e2e-"); err != nil {
		return err
	}
	if err := os.Chmod(bin, 0o755); err != nil {
		return err
	}
	for _, p := range []struct{ name, source string }{
		{"tightship", "../cmd/tightship"}, {"tightship-guest", "../cmd/tightship-guest"}, {"inmate", "./testdata/inmate"},
	} {
		if err := build(filepath.Join(bin, p.name), p.source, ""); err != nil {
			return err
		}
	}
	if _, err := docker("version"); err != nil {
		return fmt.Errorf("there is no engine: %w", err)
	}
	if _, err := docker("image", "inspect", agent); err != nil {
		return fmt.Errorf("`make image` comes first: %w", err)
	}
	removeImages()
	return nil
}

// build makes a static program; define sets variables, as -X wants them.
func build(to, source, define string) error {
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w " + define, "-o", to, source}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "go", args...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// docker runs the docker command on the lane's engine, with a time limit.
func docker(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "docker", args...)
	var stderr strings.Builder
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		err = fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(string(out)), err
}

// The scripts in testdata have these commands besides testscript's own. A
// process is a tightship: it ends in 90 seconds or is killed, and what its run
// created must be gone when it ends.
//
//	image NAME FILE               makes an image as FILE says; $NAME names it
//	exits CODE[,CODE] COMMAND...  runs a process and wants one of these exit codes
//	start NAME COMMAND...         starts a process
//	running NAME TWIN [PROGRAM]   waits until a twin runs (PROGRAM); $NAME is the run ID
//	send NAME SIGNAL              sends INT, TERM or KILL
//	ends NAME CODE[,CODE]         waits for the process, like exits
//	stopped NAME SECONDS          none of the run's containers runs by then
//	[!] gone NAME                 nothing of the run is left
//	verdicts FILE VERDICT [ID...] exactly these checks have this verdict
//	json FILE PATH WANT           a value of the report, as checks[fs.shm-bounded].verdict
//	seeds FILE                    all 28 tests of the original suite are proven
//	xml FILE                      FILE is well-formed XML without control characters
//	plain FILE                    FILE has no control characters but line feeds
//	engine KIND                   points DOCKER_HOST at a broken engine
//	guest KIND                    replaces the guest by a lying one
//	sshd                          starts an SSH server; $SSHHOST is the engine through it
//	nossh [SECONDS]               none of the ssh commands runs (by then)
//	tlsengine DIR                 $TLSHOST is the engine behind TLS, DIR its clients' files
//	elsewhere KIND                points DOCKER_HOST at a socket that seems forwarded
//	disk DIR BYTES                mounts a disk of that size at DIR
//
// With $RUNAS set, processes run as that uid, without groups, in /.
func TestScripts(t *testing.T) {
	lane(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Condition: func(cond string) (bool, error) {
			if cond == "root" {
				return os.Getuid() == 0, nil
			}
			if cond == "sshd" { // which lies where not every user looks
				_, err := os.Stat("/usr/sbin/sshd")
				return err == nil, nil
			}
			return false, errors.New("no such condition")
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"image": imageCommand, "exits": exits, "start": start, "running": running, "send": send, "ends": ends,
			"stopped": stopped, "gone": gone, "verdicts": verdicts, "json": jsonValue, "seeds": seeds,
			"xml": wellFormed, "plain": plain, "engine": engineCommand, "guest": guest, "disk": disk,
			"sshd": sshd, "nossh": nossh, "tlsengine": tlsEngine, "elsewhere": elsewhere,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
			// The sign of life of a run lies there, and clean must find those of
			// all runs.
			e.Setenv("TMPDIR", os.TempDir())
			e.Setenv("DOCKER_HOST", os.Getenv("DOCKER_HOST"))
			e.Setenv("AGENT", agent)
			e.Values[processesKey] = map[string]*process{}
			return nil
		},
		RequireExplicitExec: true,
	})
}

// disk mounts a small disk, for what happens when it is full.
func disk(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: disk DIR BYTES")
	}
	if _, err := strconv.Atoi(args[1]); err != nil {
		ts.Fatalf("%v", err)
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o755))
	ts.Check(syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+args[1]))
	ts.Defer(func() { ts.Check(syscall.Unmount(dir, syscall.MNT_DETACH)) })
}
