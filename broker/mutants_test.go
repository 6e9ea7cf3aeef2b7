package broker

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tightship-dev/tightship/internal/hollow"
)

// mutant is a mistake that somebody could make in this package, and the tests that
// must notice it.
type mutant struct {
	name, file string
	from, into string // what the file has exactly once, and what it has instead
	tests      string // by name, parted by |
}

// TestMutants makes each mistake of the list in turn. Every row has to fail by a test:
// one that does not compile, or that hangs, shows nothing.
func TestMutants(t *testing.T) {
	if os.Getenv("TIGHTSHIP_HOLLOW") == "" {
		t.Skip("SKIPPED: takes minutes; make test sets TIGHTSHIP_HOLLOW=1")
	}
	turns := make(chan struct{}, 2) // as each one compiles
	seen := map[string]bool{}
	for _, m := range mutants {
		if seen[m.name] {
			t.Errorf("two rows are named %q", m.name)
		}
		seen[m.name] = true
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			turns <- struct{}{}
			defer func() { <-turns }()
			overlay, err := hollow.Swap(t.TempDir(), m.file, m.from, m.into)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "go", "test", "-count=1", "-vet=off", "-failfast", "-v", "-timeout=100s", "-ldflags=-s -w",
				"-overlay="+overlay, "-run", "^("+m.tests+")$", ".")
			cmd.Env = append(os.Environ(), "TIGHTSHIP_HOLLOW=", "TIGHTSHIP_E2E=")
			out, err := cmd.CombinedOutput()
			text := string(out)
			switch {
			case ctx.Err() != nil || strings.Contains(text, "panic: test timed out"):
				t.Errorf("%s took too long to notice: %s", m.tests, text)
			case err != nil && strings.Contains(text, "--- FAIL"):
			case err != nil:
				t.Errorf("the tests did not run: %s", text)
			case strings.Contains(text, "--- SKIP"):
				t.Skipf("SKIPPED: as are its tests: %s", text)
			case !strings.Contains(text, "--- PASS"):
				t.Errorf("there are no tests %s", m.tests)
			default:
				t.Errorf("%s did not notice", m.tests)
			}
		})
	}
}

var mutants = []mutant{
	// Mistakes about the record.
	{"a use goes on without its record", "call.go",
		"seq, err := c.b.record(c.x.Context(), e)\n\t\tif err != nil {",
		"seq, err := c.b.record(c.x.Context(), e)\n\t\terr = nil\n\t\tif err != nil {", "TestLedgerFails"},
	{"a second sending has no record", "call.go",
		"seq, err := c.b.record(c.x.Context(), e)",
		"seq, err := uint64(1), error(nil)\n\t\tif !again {\n\t\t\tseq, err = c.b.record(c.x.Context(), e)\n\t\t}", "TestEachSendingIsRecorded"},
	{"a question to a git server has no record", "gitpush.go",
		"seq, err := a.c.b.record(r.Context(), e)\n\tif err != nil {\n\t\treturn nil, err\n\t}",
		"var seq uint64 = 1\n\tvar err error", "TestQuestionsAreNotRepeated"},
	{"the transport repeats a question", "gitpush.go",
		"r.GetBody = nil",
		"", "TestQuestionsAreNotRepeated"},
	{"the transport repeats a request", "send.go",
		"default:\n\t\treq.Body = empty{}",
		"", "TestNetHTTPRepeatsNothing"},
	{"too many refs lose a record", "broker.go",
		"errors.Is(err, ledger.ErrEntry) && len",
		"false && len", "TestTooLargeToRecord"},
	{"values of a query are recorded", "entry.go",
		`b.WriteString("=…")`,
		"b.WriteString(part[len(name):])", "TestRecords"},
	{"denials fill the disk", "call.go",
		"if !ok {\n\t\treturn false\n\t}\n\tif lost",
		"_ = ok\n\tif lost", "TestDenialsDoNotFillTheDisk"},
	{"an error has the value", "call.go",
		"clean, n := c.scan.Text(s)",
		"clean, n := s, 0", "TestErrorsDoNotReflect"},
	{"refs of a push are left out", "call.go",
		"e.Refs = c.git.refs\n\t\t}\n\t\tseq",
		"}\n\t\tseq", "TestPushRecords"},
	{"records of the end are lost", "broker.go",
		"b.records.Wait()",
		"", "TestCloseWaitsForRecords"},
	{"record ends with its caller", "broker.go",
		"_, err := b.record(context.Background(), e)\n\t\tif",
		"_, err := b.record(b.ctx, e)\n\t\tif", "TestCloseWaitsForRecords"},
	{"long reasons", "call.go",
		`"denied", clip(e.Reason)`,
		`"denied", e.Reason`, "TestRecordsAreShort"},
	{"long paths", "entry.go",
		"return clip(b.String())",
		"return b.String()", "TestRecordsAreShort"},
	{"no cause in the record", "limits.go",
		`return d.reason + ": " + d.cause.Error()`,
		"return d.reason", "TestSecretFails"},
	// Mistakes about what the caller sends.
	{"no limit by content length", "call.go",
		"if limit > 0 && head.Length > limit {",
		"if false && head.Length > limit {", "TestBodyOfKnownLength"},
	{"cookies are passed on", "attach.go",
		`"Cookie": true, "Cookie2": true,`,
		"", "TestAttach"},
	{"an encoding is asked for", "attach.go",
		`h["Accept-Encoding"] = []string{"identity"}`,
		"", "TestAttach"},
	{"parameter only as spelled", "attach.go",
		"strings.EqualFold(strings.TrimSpace(u), name)",
		"u == name", "TestAttach"},
	{"parameter not behind a semicolon", "attach.go",
		`strings.SplitSeq(part, ";")`,
		`strings.SplitSeq(part, "\x00")`, "TestAttach"},
	{"Go names itself", "attach.go",
		`h["User-Agent"] = nil // and not Go`,
		"_ = 1 // and not Go", "TestNoUserAgentOfOurs"},
	{"any connection option", "front/message.go",
		`return Refuse("connection", "the header Connection names %.40q, want close, keep-alive, te or upgrade", option)`,
		"_ = option", "TestHostile"},
	{"digits that are encoded themselves", "front/path.go",
		"again || strings",
		"false && again || strings", "TestHostile"},
	{"no git and yet let through", "git.go",
		`if head.Upgrade != "" || head.EncodedSlash {`,
		"if false {", "TestGitAlone"},
	{"any repository", "git.go",
		"if !v.Allowed {\n\t\tif call",
		"if false {\n\t\tif call", "TestPushes"},
	{"any ref", "gitpush.go",
		"!s.decision.Allowed()",
		"false", "TestPushes"},
	{"forced pushes", "gitpush.go",
		"Ask: s.decision.Ask()",
		"Ask: nil", "TestPushes"},
	{"unzipped and called zipped", "gitpush.go",
		`c.x.Head.Header.Del("Content-Encoding")`,
		"", "TestPushes"},
	{"extension of a websocket is offered", "send.go",
		`delete(header, "Sec-Websocket-Extensions") // what is compressed cannot be searched`,
		"", "TestWebSocket"},
	{"headers of proxies are passed on", "attach.go",
		`|| strings.HasPrefix(name, "Proxy-")`,
		"", "TestCallersOwnWords"},
	{"headers of the way are passed on", "attach.go",
		`"Forwarded": true, "Via": true, "X-Real-Ip": true, "X-Client-Ip": true, "True-Client-Ip": true, "X-Cluster-Client-Ip": true,`,
		"", "TestCallersOwnWords"},
	{"other tokens are passed on", "attach.go",
		`"Private-Token": true, "Job-Token": true, "Deploy-Token": true, "X-Amz-Security-Token": true,`,
		"", "TestCallersOwnWords"},
	// Mistakes about where it goes.
	{"redirect with a user", "decide.go",
		"&& port(a) == port(b) && b.User == nil",
		"&& port(a) == port(b)", "TestAnswersThatAreNotPassedOn"},
	{"redirect to another port", "decide.go",
		"&& port(a) == port(b) && b.User == nil",
		`&& port(a) != "" && b.User == nil`, "TestSameHost"},
	{"proxy of the environment", "upstream.go",
		"Proxy:                  nil,",
		"Proxy:                  http.ProxyFromEnvironment,", "TestTransportAlone"},
	{"any address", "upstream.go",
		"!r.Permits(ap.Addr())",
		"!ap.IsValid()", "TestAddresses"},
	{"any certificate", "upstream.go",
		"MinVersion: tls.VersionTLS12}",
		"MinVersion: tls.VersionTLS12, InsecureSkipVerify: true}", "TestUpstreamFails"},
	{"connections to networks of before", "credential.go",
		"&& slices.Equal(a.Networks, b.Networks)",
		"&& slices.Equal(a.Networks, a.Networks)", "TestReload"},
	{"certificates of before", "credential.go",
		"pem != l.pem",
		`pem == "another"`, "TestReloadReadsCertificates"},
	{"requests go where they went before", "credential.go",
		"&& a.Upstream == b.Upstream",
		"", "TestReloadAttachesAnew"},
	// Mistakes about the answer.
	{"a part", "response.go",
		"s == http.StatusPartialContent ||",
		"false ||", "TestAnswersThatAreNotPassedOn"},
	{"a part that says it is whole", "response.go",
		`resp.Header.Get("Content-Range") != ""`,
		"false", "TestAnswersThatAreNotPassedOn"},
	{"compressed", "response.go",
		`coding != "" && !strings.EqualFold(coding, "identity")`,
		`coding == "another"`, "TestAnswersThatAreNotPassedOn"},
	{"location without a redirect", "response.go",
		`delete(resp.Header, "Location")`,
		"", "TestHeadersThatDoNotHold"},
	{"redirect with the parameter", "response.go",
		"if l.Attach.Style == policy.AttachQuery {\n\t\tquery =",
		"if l.Attach.Style == policy.AttachBearer {\n\t\tquery =", "TestRedirectWithoutTheParameter"},
	{"headers of the connection", "response.go",
		"delete(h, http.CanonicalHeaderKey(strings.TrimSpace(name)))",
		"_ = name", "TestHeadersOfTheConnection"},
	{"digests of what was taken out", "response.go",
		"delete(header, name)",
		"_ = name", "TestHeadersThatDoNotHold"},
	{"header named like the value", "response.go",
		"c.hits += n\n\t\t\tcontinue",
		"c.hits += n", "TestNoReflection"},
	{"cut and yet whole", "response.go",
		"c.rule = RuleUpstream",
		"c.rule = RuleUpstream\n\t\t\t_ = c.x.End(nil)", "TestCutAnswerIsNotWhole"},
	{"extension of a websocket is taken", "websocket.go",
		`|| resp.Header.Get("Sec-Websocket-Extensions") != ""`,
		"", "TestWebSocketExtensionRefused"},
	{"short reach across messages", "websocket.go",
		"reach := m.c.scan.Reach()",
		"reach := 512", "TestLongValueAcrossMessages"},
	{"answer that is no answer", "response.go",
		"} else if s < 200 &&",
		"} else if s < 0 &&", "TestNoFinalStatus"},
	{"status beyond all", "response.go",
		"|| s > 599 {",
		"{", "TestNoFinalStatus"},
	{"other services of the upstream", "response.go",
		`"Alt-Svc",`,
		"", "TestHeadersOfTheConnection"},
	{"half an answer in one piece", "response.go",
		"if err != nil {\n\t\tc.abandon(upstreamDenial(c.live.base.Host, err))\n\t\treturn nil\n\t}",
		"_ = err", "TestBodies"},
	{"words about a pack that is none", "gitpush.go",
		"errors.Is(err, gitwire.ErrPack)",
		`errors.Is(err, gitwire.ErrPack) && kind != ""`, "TestPushRecords"},
	{"piece of the value for a host", "response.go",
		"l, n := c.scan.Text(l) // before it is cut up, as a piece of a value is not found\n\t\t\t\tc.hits += n",
		"", "TestRedirectToAPieceOfTheValue"},
	{"long ping", "websocket.go",
		"text = text[:min(len(text), 125)]",
		"_ = 1", "TestPingStaysShort"},
	// Mistakes about the value.
	{"revoked after the first look", "call.go",
		"if w.revoked(r.Name) { // in the meantime",
		"if false { // in the meantime", "TestRevokedMeanwhile"},
	{"revoked and not cut", "world.go",
		"b.cut(name)",
		"", "TestRevoke"},
	{"reload forgets what was revoked", "world.go",
		"gone: &b.gone}",
		"gone: &revocations{names: map[string]bool{}}}", "TestRevoke"},
	{"value that cannot be looked for", "vault.go",
		"if unfit = v.err; unfit == nil && v.scan == nil",
		"if unfit = nil; v.scan == nil", "TestUnfitValueIsNotLent"},
	{"redactor overwritten in use", "vault.go",
		"s = v.scan.acquire()",
		"s = v.scan", "TestChangeDuringAnswer"},
	{"no look at the value before the record", "call.go",
		"if err := c.live.vault.check(c.x.Context()); err != nil {",
		"if err := error(nil); err != nil {", "TestSecretFails"},
	{"attached as before", "credential.go",
		"&& l.Attach == r.Attach",
		"", "TestReloadAttachesAnew"},
	{"value of before", "credential.go",
		"l.From == r.From &&",
		"", "TestReloadOpensAnew"},
	{"websocket outlives its credential", "websocket.go",
		"defer context.AfterFunc(c.x.Context(), func() { down.Close(); up.Close() })()",
		"defer context.AfterFunc(c.x.Context(), func() {})()", "TestWebSocketIsCut"},
	{"value is never given up", "world.go",
		"l.close()",
		"_ = l", "TestValueIsGivenUp"},
	{"redactor is never overwritten", "vault.go",
		"if last {",
		"if false && last {", "TestValueIsGivenUp"},
	// Mistakes about who calls.
	{"cgroup with more trees", "cgroup.go",
		"return len(c) > 0 && maps.Equal(c, d)",
		"for k, v := range c { if d[k] != v { return false } }; _ = maps.Equal(c, d); return len(c) > 0", "TestCgroupsAreExact"},
	{"the broker's own cgroup", "cgroup.go",
		"if c.equal(own) {",
		"if c.equal(own) && len(own) > 99 {", "TestPinning"},
	{"the root cgroup", "cgroup.go",
		`if p != "/" {`,
		`if p != "" {`, "TestRootIsNobodysOwn"},
	{"a caller that has ended", "peer_linux.go",
		"if ended != 0 {",
		"if ended > 9 {", "TestEndedCaller"},
	{"two sandboxes of one container", "lifecycle.go",
		`if other := b.holder(bind, name); other != "" {`,
		"if other := b.holder(bind, name); false {", "TestPinning"},
	{"two sandboxes of one cgroup", "lifecycle.go",
		`if other := b.holder(binding{Cgroup: found.Cgroup}, s.name); other != "" {`,
		"if other := b.holder(binding{Cgroup: found.Cgroup}, s.name); false {", "TestPinnedToAnothers"},
	{"another container of the name", "lifecycle.go",
		"if found.Container != bind.Container || len",
		"if len", "TestPinnedToAnothers"},
	{"bound when removed", "lifecycle.go",
		"if b.sandboxes[name] != s { // while",
		"if b.sandboxes == nil { // while", "TestRemovedMeanwhile"},
	{"any caller", "accept.go",
		"if !want.equal(p.cgroup) {",
		"if false {", "TestAttestation"},
	{"what the kernel says is not heard", "accept.go",
		"if err != nil {\n\t\treturn err\n\t}\n\tconst most",
		"if err != nil {\n\t\t_ = err\n\t}\n\tconst most", "TestEndedCaller"},
	{"pinned until the next start", "lifecycle.go",
		"bind.Cgroup = found.Cgroup\n\tif err := b.save(bind); err != nil {",
		"bind.Cgroup = found.Cgroup\n\tif err := error(nil); err != nil {", "TestPinnedToAnothers"},
	{"bound until the next start", "lifecycle.go",
		"bind.Name, bind.UID = s.bind.Name, s.bind.UID\n\tif err := b.save(bind); err != nil {",
		"bind.Name, bind.UID = s.bind.Name, s.bind.UID\n\tif err := error(nil); err != nil {", "TestRestart"},
	{"state of another", "state.go",
		"|| bind.Name != name",
		`|| bind.Name == "-"`, "TestStateOfAnother"},
	{"removed and still served", "lifecycle.go",
		"s.end()\n\tb.mu.Lock()",
		"_ = s.listener.Close()\n\tb.mu.Lock()", "TestRemoveCuts"},
	{"socket of root's", "control.go",
		"uid := int(b.world.Load().policy.User.UID)",
		"uid := 0", "TestCommands"},
	{"unknown words of a command", "control.go",
		"d.DisallowUnknownFields()",
		"", "TestCommands"},
	// Mistakes about limits.
	{"one more than the budget", "limits.go",
		"u.requests >= most",
		"u.requests > most", "TestLimits"},
	{"a request that ended counts", "limits.go",
		"delete(u.underWay, x)",
		"_ = x", "TestEndedUsesAreFree"},
	{"any number of connections", "sandbox.go",
		"if s.conns >= most {",
		"if s.conns >= 1<<30+most {", "TestOneSandboxDoesNotStarveAnother"},
	{"no limits", "call.go",
		"if d := u.begin(c.began, r.Limits, c.x); d != nil {",
		"if d := u.begin(c.began, r.Limits, c.x); d != nil && false {", "TestLimitsAreApplied"},
	{"uses never end", "call.go",
		"defer u.end(c.x)",
		"", "TestOneAtOnce"},
	{"connections never end", "sandbox.go",
		"s.conns--",
		"", "TestConnectionsThatEndedAreFree"},
	{"all files for one sandbox", "accept.go",
		"min(b.o.MaxConns, b.files/max(1, len(b.sandboxes)))",
		"b.o.MaxConns", "TestShare"},
	// Mistakes about files.
	{"directory of another user", "files_unix.go",
		"int(st.Uid) != os.Geteuid()",
		"int(st.Uid) == -2", "TestForeignDirectory"},
	{"directory that others write to", "files_unix.go",
		"&0o022 != 0",
		"&0 != 0", "TestForeignDirectory"},
	{"socket for everybody", "state.go",
		"err = os.Chmod(making, 0o600)",
		"err = os.Chmod(making, 0o666)", "TestSockets"},
	{"control socket for everybody", "control.go",
		"os.Chmod(making, 0o600)",
		"os.Chmod(making, 0o666)", "TestSockets"},
	{"binding that is not synced", "state.go",
		"errors.Join(err, f.Sync(), f.Close())",
		"errors.Join(err, f.Close())", "TestBindingIsSynced"},
}
