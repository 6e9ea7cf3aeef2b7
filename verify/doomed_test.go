package verify

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tightship-dev/tightship/check"
	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/policy"
	"github.com/tightship-dev/tightship/probe"
	"github.com/tightship-dev/tightship/report"
)

// sandbox is a fake engine on which gVisor answers. dies says which doomed
// attempts end their twin past the limit.
func sandbox(t *testing.T, dies ...string) (*fake, Options) {
	f := newFakeOf(t, "gvisor.json")
	f.info.Runtimes, f.info.Runtime = []string{"runc", "odd"}, "odd"
	f.oom = map[check.Twin]bool{check.Doomed["exhaust.memory"]: true}
	f.guest = func(twin check.Twin, role probe.Role, in io.Reader, out io.Writer) int {
		for name, own := range check.Doomed {
			if own == twin {
				return doomedGuest(f, twin, name, strings.Contains(strings.Join(dies, " "), name), in, out)
			}
		}
		return f.honest(twin, role, in, out)
	}
	o := f.options()
	o.Policy = policy.DefaultFor("gvisor")
	o.Policy.Runtime = "odd" // it is known by what answers inside
	return f, o
}

func doomedGuest(f *fake, twin check.Twin, name string, dies bool, in io.Reader, out io.Writer) int {
	plans := bufio.NewScanner(in)
	plans.Buffer(nil, probe.MaxLine)
	seq := 0
	send := func(l probe.Line, nonce string) {
		l.Nonce, l.Seq = nonce, seq
		seq++
		b, _ := json.Marshal(l)
		out.Write(append(b, '\n'))
	}
	for n := 0; plans.Scan(); n++ {
		var p probe.Plan
		if json.Unmarshal(plans.Bytes(), &p) != nil {
			return probe.ExitProtocol
		}
		if n == 0 {
			send(probe.Line{}, p.Nonce)
		}
		if n == 1 && dies {
			return 137
		}
		if len(p.Probes) > 0 {
			o := f.recorded.Twins[twin].Seen[probe.User][check.BelowLimit(name)]
			o.Facts = map[string]string{"forks": "164", "base": "9"}
			send(probe.Line{Observation: &o}, p.Nonce)
		}
		send(probe.Line{Done: true}, p.Nonce)
		if p.Exit != nil {
			return *p.Exit
		}
	}
	return probe.ExitAbandoned
}

// What ends a sandbox has a twin of its own, and what the host says of its end
// decides. The name of the runtime plays no part.
func TestDoomed(t *testing.T) {
	rows := []struct {
		name  string
		dies  []string
		spoil func(*fake)
		want  map[string]check.Verdict
	}{
		{"both end", []string{"exhaust.memory", "exhaust.pids"}, nil,
			map[string]check.Verdict{"limits.memory": check.Pass, "limits.pids": check.Inconclusive}}, // nobody counts forks here
		{"neither ends", nil, nil, map[string]check.Verdict{"limits.memory": check.Fail, "limits.pids": check.Fail}},
		{"one ends", []string{"exhaust.memory"}, nil, map[string]check.Verdict{"limits.memory": check.Pass, "limits.pids": check.Fail}},
		{"it ends for another reason", []string{"exhaust.memory"}, func(f *fake) { f.oom = nil }, map[string]check.Verdict{"limits.memory": check.Inconclusive}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			f, o := sandbox(t, row.dies...)
			if row.spoil != nil {
				row.spoil(f)
			}
			r, err := Image(t.Context(), f, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range r.Checks {
				if want := row.want[c.ID]; want != "" && check.Verdict(c.Verdict) != want {
					t.Errorf("%s is %s: %s", c.ID, c.Verdict, c.Reason)
				}
			}
			if left := f.left(); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// On Linux no twin is made for what ends nobody there.
func TestNotDoomed(t *testing.T) {
	f := newFake(t)
	if _, err := Image(t.Context(), f, f.options()); err != nil {
		t.Fatal(err)
	}
	for name := range f.specs {
		for _, own := range check.Doomed {
			if strings.HasSuffix(name, "-"+string(own)) {
				t.Errorf("%s was made", name)
			}
		}
	}
}

// An engine that fails while a doomed twin is made ends the run in order.
func TestDoomedEngineFails(t *testing.T) {
	f, o := sandbox(t, "exhaust.memory", "exhaust.pids")
	if _, err := Image(t.Context(), f, o); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= f.calls; n++ {
		f, o := sandbox(t, "exhaust.memory", "exhaust.pids")
		f.failAt = n
		res, err := Image(t.Context(), f, o)
		if left := f.left(); len(left) > 0 {
			t.Fatalf("call %d: left %v", n, left)
		}
		if err == nil && report.Outcome(res.Summary) == "proven" {
			t.Errorf("call %d failed and all is proven", n)
		}
	}
}

// The twins that are to end have the limit that ends them: the one scaled so
// that a sandbox fits below it, the other with the memory that it had.
func TestDoomedSettings(t *testing.T) {
	f, o := sandbox(t)
	r, err := prepare(t.Context(), engine.Engine(f), "", o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.lock.release(false)
	memory, pids := r.settings(check.Doomed["exhaust.memory"]), r.settings(check.Doomed["exhaust.pids"])
	if memory.Memory != check.ScaleSandboxMemory(2<<30, 2<<30, false) || memory.Swap != 0 {
		t.Errorf("memory %d, swap %d", memory.Memory, memory.Swap)
	}
	if pids.Memory != 2<<30 || pids.PIDs != 100 {
		t.Errorf("memory %d, pids %d", pids.Memory, pids.PIDs)
	}
	if got := check.SandboxReach(2<<30, false); got <= memory.Memory {
		t.Errorf("reaches for %d of %d", got, memory.Memory)
	}
	r.base.Memory, r.base.PIDs = 0, 0
	if m := r.settings(check.Doomed["exhaust.memory"]); m.Memory != 0 {
		t.Errorf("an unlimited memory became %d", m.Memory)
	}
	if p := r.settings(check.Doomed["exhaust.pids"]); p.PIDs != 0 {
		t.Errorf("unlimited processes became %d", p.PIDs)
	}
}

// A runtime's name only decides when the doomed twins are started: a sandbox is
// judged alike under both, and what only has the name is judged as Linux.
func TestDoomedByName(t *testing.T) {
	verdicts := func(f *fake, o Options, runtime string) map[string]string {
		f.info.Runtimes, o.Policy.Runtime = []string{runtime}, runtime
		r, err := Image(t.Context(), f, o)
		if err != nil {
			t.Fatal(err)
		}
		if left := f.left(); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		all := map[string]string{}
		for _, c := range r.Checks {
			all[c.ID] = c.Verdict + " " + c.Evidence
		}
		return all
	}
	f, o := sandbox(t, "exhaust.memory", "exhaust.pids")
	g, p := sandbox(t, "exhaust.memory", "exhaust.pids")
	if diff := cmp.Diff(verdicts(f, o, "odd"), verdicts(g, p, "runsc")); diff != "" {
		t.Errorf("-under another name +under runsc:\n%s", diff)
	}
	linux, liar := newFake(t), newFake(t)
	if diff := cmp.Diff(verdicts(linux, linux.options(), "runc"), verdicts(liar, liar.options(), "runsc")); diff != "" {
		t.Errorf("-runc +a runc named runsc:\n%s", diff)
	}
}
