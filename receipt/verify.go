package receipt

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/receipt/keys"
)

// Skew is how far a receipt's time may lie ahead of the reader's clock.
const Skew = 5 * time.Minute

// Expect is what a receipt is held against. The zero value of a field other than
// Now asks for nothing.
type Expect struct {
	Now    time.Time
	MaxAge time.Duration
	// Image is the digest ("sha256:…") of the image that is to be the one proven:
	// the engine's ID for it, or one that somebody wrote down.
	Image string
	// Container is the settings digest of a container that is to be the one
	// proven, and Place where it is.
	Container string
	Place     *Place
	// Settings is the settings digest, whatever it was that was proven.
	Settings string
	Policy   string // digest
}

// Place is where a container is held: a receipt does not count on another kernel,
// engine or runtime. Program is its digest, "" where it is not known.
type Place struct {
	Engine                   Engine
	Kernel, Runtime, Program string
}

// Refusal is one reason why a receipt does not count. Was is what the receipt
// says and Is what it was held against, where it is two values that differ.
type Refusal struct {
	Check  string `json:"check"`
	Reason string `json:"reason"`
	Was    string `json:"was"`
	Is     string `json:"is"`
}

// Refusals is why a receipt does not count; it is the error of Verify.
type Refusals []Refusal

func (r Refusals) Error() string {
	all := make([]string, len(r))
	for i := range r {
		all[i] = r[i].Reason
	}
	return "the receipt is refused: " + strings.Join(all, "; ")
}

// Verify checks an envelope's signature and, if that is good, everything that it
// says. The error is Refusals with every reason, or wraps ErrMalformed where what
// was signed cannot be read. The statement is only worth something without one.
func (e *Envelope) Verify(key ed25519.PublicKey, x Expect) (Statement, error) {
	if r := checkSignature(e, key); r != nil {
		return Statement{}, Refusals{*r} // and who knows who wrote the rest
	}
	if r := checkPayloadType(e); r != nil {
		return Statement{}, Refusals{*r}
	}
	s, err := e.Statement()
	if err != nil {
		return Statement{}, err
	}
	for _, check := range []func(Statement) *Refusal{checkStatementType, checkPredicateType} {
		if r := check(s); r != nil {
			return Statement{}, Refusals{*r}
		}
	}
	var all Refusals
	for _, check := range []func(Statement, Expect) *Refusal{
		checkVerdict, checkExpiry, checkFuture, checkAge, checkImage, checkContainer,
		checkSettings, checkPolicy, checkEngine, checkKernel, checkRuntime, checkProgram,
	} {
		if r := check(s, x); r != nil {
			all = append(all, *r)
		}
	}
	if len(all) > 0 {
		return s, all
	}
	return s, nil
}

// Statement reads what the envelope holds, whoever signed it.
func (e *Envelope) Statement() (Statement, error) {
	var s Statement
	if err := strict(e.Payload); err != nil {
		return s, fmt.Errorf("%w: its payload: %w", ErrMalformed, err)
	}
	// The predicate of another type may be of any form.
	var head struct {
		Statement
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(e.Payload, &head); err != nil {
		return s, fmt.Errorf("%w: its payload: %w", ErrMalformed, err)
	}
	s = head.Statement
	if s.PredicateType != PredicateType {
		return s, nil
	}
	if err := json.Unmarshal(head.Predicate, &s.Predicate); err != nil {
		return s, fmt.Errorf("%w: its predicate: %w", ErrMalformed, err)
	}
	return s, nil
}

// checkSignature wants one good signature; others may be there. A hint that names
// another key is believed, as a signature of that key is of no use here.
func checkSignature(e *Envelope, key ed25519.PublicKey) *Refusal {
	if len(key) != ed25519.PublicKeySize {
		return &Refusal{Check: "signature", Reason: "there is no key to check the signature with"}
	}
	mine := append(keys.Aliases(key), keys.ID(key), "")
	message := preAuth(e.PayloadType, e.Payload)
	var others []string
	for _, s := range e.Signatures {
		if !slices.Contains(mine, s.KeyID) {
			others = append(others, s.KeyID)
			continue
		}
		if ed25519.Verify(key, message, s.Sig) {
			return nil
		}
	}
	if len(others) == len(e.Signatures) {
		was := strings.Join(others, ", ")
		return &Refusal{"signature", fmt.Sprintf("it was signed with the key %s, and the key given is %s", was, keys.ID(key)), was, keys.ID(key)}
	}
	return &Refusal{Check: "signature", Reason: fmt.Sprintf("the signature is not one by the key %s of what it holds: it was changed, or signed with another key", keys.ID(key)), Is: keys.ID(key)}
}

func checkPayloadType(e *Envelope) *Refusal {
	return differ("payload-type", "the payload", e.PayloadType, PayloadType, "is expected")
}

func checkStatementType(s Statement) *Refusal {
	return differ("statement-type", "the statement", s.Type, StatementType, "is expected")
}

func checkPredicateType(s Statement) *Refusal {
	return differ("predicate-type", "the predicate", s.PredicateType, PredicateType, "is expected")
}

// checkVerdict goes by every place where a receipt says how it went.
func checkVerdict(s Statement, _ Expect) *Refusal {
	p := s.Predicate
	held := 0
	var broken []string
	for _, c := range p.Tightship.Checks {
		switch c.Verdict {
		case "pass":
			held++
		case "accepted", "not-applicable":
		default:
			broken = append(broken, c.ID)
		}
	}
	switch {
	case p.Tightship.Verdict != "proven" || len(broken) > 0:
		reason := fmt.Sprintf("the verdict was %s, not proven", p.Tightship.Verdict)
		if len(broken) > 0 {
			reason += ": " + strings.Join(broken, ", ")
		}
		return &Refusal{"verdict", reason, p.Tightship.Verdict, "proven"}
	case p.Result != Passed && p.Result != Warned:
		return &Refusal{"verdict", fmt.Sprintf("the result is %s", p.Result), p.Result, Passed}
	case len(p.FailedTests) > 0:
		return &Refusal{"verdict", "tests failed: " + strings.Join(p.FailedTests, ", "), strings.Join(p.FailedTests, ", "), ""}
	case held == 0 || len(p.PassedTests) == 0:
		return &Refusal{Check: "verdict", Reason: "no check held"}
	}
	return nil
}

func checkExpiry(s Statement, x Expect) *Refusal {
	if until := s.Predicate.Tightship.Expires; !x.Now.Before(until) {
		return moment("expiry", "it expired at %s, and it is %s", until, x.Now)
	}
	return nil
}

func checkFuture(s Statement, x Expect) *Refusal {
	if at := s.Predicate.Tightship.Time; at.After(x.Now.Add(Skew)) {
		return moment("future", "it is from %s, and it is only %s: one of the clocks is wrong", at, x.Now)
	}
	return nil
}

func checkAge(s Statement, x Expect) *Refusal {
	if at := s.Predicate.Tightship.Time; x.MaxAge > 0 && x.Now.Sub(at) > x.MaxAge {
		return moment("age", fmt.Sprintf("it is from %%s, more than %s before now, %%s", x.MaxAge), at, x.Now)
	}
	return nil
}

func checkImage(s Statement, x Expect) *Refusal {
	if x.Image == "" || slices.Contains(s.Images(), x.Image) {
		return nil
	}
	was := strings.Join(s.Images(), ", ")
	return &Refusal{"image", fmt.Sprintf("another image: proven was %s (%s), and this is %s", s.Predicate.Tightship.Image, was, x.Image), was, x.Image}
}

func checkContainer(s Statement, x Expect) *Refusal {
	switch was := s.Container(); {
	case x.Container == "":
		return nil
	case was == "":
		return &Refusal{"container", "it is about an image, and not about a container: that was not verified as it is", "", x.Container}
	default:
		return differ("container", "the container's settings: proven", was, x.Container, "is what it has now")
	}
}

func checkSettings(s Statement, x Expect) *Refusal {
	return wanted("settings", "the settings: proven", s.Digest(SettingsName), x.Settings)
}

func checkPolicy(s Statement, x Expect) *Refusal {
	return wanted("policy", "the policy: proven under", s.Digest(PolicyName), x.Policy)
}

func checkEngine(s Statement, x Expect) *Refusal {
	if x.Place == nil {
		return nil
	}
	was, is := s.Predicate.Tightship.Engine, x.Place.Engine
	return differ("engine", "the engine: proven on", was.Name+" "+was.Version, is.Name+" "+is.Version, "is what runs now")
}

func checkKernel(s Statement, x Expect) *Refusal {
	if x.Place == nil {
		return nil
	}
	return differ("kernel", "the kernel: proven on", s.Predicate.Tightship.Kernel, x.Place.Kernel, "is what runs now")
}

func checkRuntime(s Statement, x Expect) *Refusal {
	if x.Place == nil {
		return nil
	}
	return differ("runtime", "the runtime: proven on", s.Predicate.Tightship.Runtime.Name, x.Place.Runtime, "is what runs it now")
}

// checkProgram has nothing to compare on an engine on another host.
func checkProgram(s Statement, x Expect) *Refusal {
	was := s.Digest(RuntimeName)
	if x.Place == nil || was == "" && x.Place.Program == "" {
		return nil
	}
	return differ("runtime-program", "the runtime's program: proven with", known(was), known(x.Place.Program), "is what is there now")
}

func known(digest string) string {
	if digest == "" {
		return "one that is not known"
	}
	return digest
}

func wanted(check, what, was, is string) *Refusal {
	if is == "" {
		return nil
	}
	return differ(check, what, was, is, "is what is asked for")
}

func differ(check, what, was, is, now string) *Refusal {
	if was == is {
		return nil
	}
	return &Refusal{check, fmt.Sprintf("%s was %s, and %s %s", what, quoted(was), quoted(is), now), was, is}
}

func quoted(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func moment(check, format string, was, is time.Time) *Refusal {
	w, i := was.UTC().Format(time.RFC3339), is.UTC().Format(time.RFC3339)
	return &Refusal{check, fmt.Sprintf(format, w, i), w, i}
}
