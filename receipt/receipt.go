// Package receipt turns a verification's result into a signed statement that
// somebody else can check later: what was proven, of which image or container,
// under which policy, where, when, and until when that counts.
//
// A receipt is an in-toto Statement (v1) with the test-result predicate (v0.1),
// signed with Ed25519 in a DSSE envelope. All three are standards with other
// implementations, so a receipt can be checked without this program; what the
// predicate has no field for is in one extension object, "tightship".
//
//	New  →  Sign  →  bytes  →  Parse  →  Verify
//
// New makes a Statement of a report.Result and Sign a file of it. Parse reads
// the envelope and nothing that it holds; Verify checks the signature first, and
// only then looks at what was signed. What a receipt is held against, Expect,
// comes from the caller: this package asks no engine and reads no clock.
//
// A receipt says what happened, also where that is a failure: Verify refuses
// those. It does not say that nothing was changed since.
//
// The envelope and the encoding to be signed are forty lines of our own. The
// libraries for them accept more than one spelling of the same bytes, and weigh
// more than the rest (the in-toto types are protobuf's).
package receipt

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/report"
)

// What the standards call themselves.
const (
	PayloadType   = "application/vnd.in-toto+json"
	StatementType = "https://in-toto.io/Statement/v1"
	PredicateType = "https://in-toto.io/attestation/test-result/v0.1"
)

// SettingsType is the media type of the settings that spec.Container.Digest is
// taken of. The subject that has it is a container; the others are the image.
const SettingsType = "application/vnd.tightship.settings+json"

// The names in Predicate.Configuration.
const (
	PolicyName   = "policy"
	SettingsName = "settings"
	GuestName    = "guest"
	RuntimeName  = "runtime"
)

// The values of Predicate.Result. Warned is proven too: what is below the bar is
// accepted by the policy, and listed in WarnedTests.
const (
	Passed = "PASSED"
	Warned = "WARNED"
	Failed = "FAILED"
)

// Statement is what is signed.
type Statement struct {
	Type          string       `json:"_type"`
	Subject       []Descriptor `json:"subject"`
	PredicateType string       `json:"predicateType"`
	Predicate     Predicate    `json:"predicate"`
}

// Descriptor is in-toto's ResourceDescriptor, as far as we use it.
type Descriptor struct {
	Name      string            `json:"name"`
	Digest    map[string]string `json:"digest"` // hex by algorithm
	MediaType string            `json:"mediaType,omitempty"`
}

// Predicate is the test-result predicate with our extension.
type Predicate struct {
	Result        string       `json:"result"`
	Configuration []Descriptor `json:"configuration"`
	// A check that held, one that the policy accepts, and one that failed or could
	// not be measured. What does not apply is in none of them.
	PassedTests []string `json:"passedTests"`
	WarnedTests []string `json:"warnedTests"`
	FailedTests []string `json:"failedTests"`
	Tightship   Run      `json:"tightship"`
}

// Run is what the standard predicate has no field for.
type Run struct {
	Version   string    `json:"version"` // of tightship
	RunID     string    `json:"runId"`
	Time      time.Time `json:"time"`    // when the verification ended
	Expires   time.Time `json:"expires"` // from when on it counts no more
	Verdict   string    `json:"verdict"` // "proven", "failed" or "inconclusive"
	Image     string    `json:"image"`   // as it was asked for
	Container string    `json:"container,omitempty"`
	Engine    Engine    `json:"engine"`
	Runtime   Runtime   `json:"runtime"`
	Kernel    string    `json:"kernel"` // release
	Cgroup    string    `json:"cgroup"` // "v1" or "v2"
	LSM       string    `json:"lsm"`    // "apparmor", "selinux" or "none"
	Checks    []Check   `json:"checks"`
}

// Engine is the container engine.
type Engine struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Runtime is the OCI runtime. Its program's digest is in the configuration, or
// Note says why it is not.
type Runtime struct {
	Name string `json:"name"`
	Note string `json:"note,omitempty"`
}

// Check is one check's verdict and the grade of its evidence.
type Check struct {
	ID       string `json:"id"`
	Verdict  string `json:"verdict"`
	Evidence string `json:"evidence"`
}

// Options is what New needs besides the result.
type Options struct {
	Version string        // of tightship
	TTL     time.Duration // how long the receipt counts
}

// Errors about results that no receipt can be made of.
var (
	ErrPartial  = errors.New("only a part of the checks was run, and a receipt speaks for all of them")
	ErrNoDigest = errors.New("a receipt names everything by its digest")
	ErrTTL      = errors.New("a receipt counts for some time")
)

var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// New makes the statement about a result, whatever its verdict.
func New(res report.Result, o Options) (Statement, error) {
	if res.LeftOut > 0 {
		return Statement{}, fmt.Errorf("%w: %d were left out", ErrPartial, res.LeftOut)
	}
	if o.TTL <= 0 {
		return Statement{}, fmt.Errorf("%w, not for %s", ErrTTL, o.TTL)
	}
	s := Statement{Type: StatementType, PredicateType: PredicateType, Predicate: predicate(res, o)}
	var err error
	describe := func(list *[]Descriptor, name, media, sum string) {
		hex, ok := strings.CutPrefix(sum, "sha256:")
		if !ok || !digest.MatchString(sum) {
			err = errors.Join(err, fmt.Errorf("%w: %s has none (%q)", ErrNoDigest, name, sum))
			return
		}
		*list = append(*list, Descriptor{Name: name, MediaType: media, Digest: map[string]string{"sha256": hex}})
	}
	sub := res.Subject
	describe(&s.Subject, sub.Image, "", sub.ImageID)
	if sub.ImageDigest != sub.ImageID {
		describe(&s.Subject, sub.Image, "", sub.ImageDigest)
	}
	if sub.Container != "" {
		describe(&s.Subject, sub.Container, SettingsType, res.SettingsDigest)
	}
	conf := &s.Predicate.Configuration
	describe(conf, PolicyName, "", res.PolicyDigest)
	describe(conf, SettingsName, SettingsType, res.SettingsDigest)
	describe(conf, GuestName, "", res.GuestDigest)
	if sub.RuntimeDigest != "" {
		describe(conf, RuntimeName, "", sub.RuntimeDigest)
	}
	return s, err
}

func predicate(res report.Result, o Options) Predicate {
	sub := res.Subject
	ended := res.Started.Add(time.Duration(res.DurationMS) * time.Millisecond).UTC().Truncate(time.Second)
	p := Predicate{
		Result: Failed, PassedTests: []string{}, WarnedTests: []string{}, FailedTests: []string{},
		Tightship: Run{
			Version: o.Version, RunID: res.RunID, Time: ended, Expires: ended.Add(o.TTL).Truncate(time.Second),
			Verdict: report.Outcome(res.Summary), Image: sub.Image, Container: sub.Container,
			Engine:  Engine{sub.Engine, sub.EngineVersion},
			Runtime: Runtime{sub.Runtime, sub.RuntimeNote},
			Kernel:  sub.Kernel, Cgroup: sub.Cgroup, LSM: sub.LSM, Checks: []Check{},
		},
	}
	for _, c := range res.Checks {
		p.Tightship.Checks = append(p.Tightship.Checks, Check{c.ID, c.Verdict, c.Evidence})
		switch c.Verdict {
		case "pass":
			p.PassedTests = append(p.PassedTests, c.ID)
		case "accepted":
			p.WarnedTests = append(p.WarnedTests, c.ID)
		case "not-applicable":
		default:
			p.FailedTests = append(p.FailedTests, c.ID)
		}
	}
	switch {
	case p.Tightship.Verdict != "proven" || len(p.FailedTests) > 0:
	case len(p.WarnedTests) > 0:
		p.Result = Warned
	default:
		p.Result = Passed
	}
	return p
}

// Images are the digests ("sha256:…") of the image that a statement is about:
// its ID, and that of the repository it is from.
func (s Statement) Images() []string {
	var all []string
	for _, d := range s.Subject {
		if d.MediaType != SettingsType {
			all = append(all, d.sha256())
		}
	}
	return all
}

// Container is the settings digest of the container that a statement is about,
// "" where it is about an image alone.
func (s Statement) Container() string {
	for _, d := range s.Subject {
		if d.MediaType == SettingsType {
			return d.sha256()
		}
	}
	return ""
}

// Digest is what the configuration has under a name, "" for nothing.
func (s Statement) Digest(name string) string {
	for _, d := range s.Predicate.Configuration {
		if d.Name == name {
			return d.sha256()
		}
	}
	return ""
}

func (d Descriptor) sha256() string { return "sha256:" + d.Digest["sha256"] }
