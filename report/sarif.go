package report

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
)

// SARIF writes r as SARIF 2.1.0, which code scanning dashboards read. A rule is a
// check; a result is one that did not hold on one subject:
//
//	broken      error
//	unmeasured  warning: the kind "open" would be nearer, but it takes the level
//	            "none", and what was not measured must not look like nothing
//	accepted    note, suppressed with the policy's reason
//
// A result lies at the line of the policy that decides it. Where the policy does
// not say it, that is the file's first line, and without a file it is line 1 of
// tightship.yaml: dashboards drop a result without a place, and that is where the
// setting would be written.
//
// The structs are our own: github.com/owenrumney/go-sarif brings 18,000 lines and
// a second schema validator into the program for the thirty fields used here, and
// the official schema is what the tests hold them to.
func SARIF(w io.Writer, r Report) error {
	b, err := json.MarshalIndent(sarifLog{
		Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0",
		Runs: []sarifRun{newSarifRun(r)},
	}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode SARIF: %w", err)
	}
	_, err = w.Write(append(inert(b), '\n'))
	return err
}

// homepage is where rules are explained.
const homepage = "https://github.com/tightship-dev/tightship"

// defaultPolicy is where a policy would stand where there is none.
const defaultPolicy = "tightship.yaml"

// sourceRoot names the directory that relative places are relative to: the one
// that the program ran in. It is the name that GitHub resolves to the checkout.
const sourceRoot = "%SRCROOT%"

// maxTags is how many tags of a rule GitHub takes.
const maxTags = 20

func newSarifRun(r Report) sarifRun {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "tightship", InformationURI: homepage, Rules: []sarifRule{}}},
		Results:     []sarifResult{},
		ColumnKind:  "unicodeCodePoints",
		BaseIDs:     map[string]sarifBase{sourceRoot: {sarifText{Text: "The directory that tightship ran in."}}},
		Invocations: []sarifInvocation{{ExecutionSuccessful: true}},
	}
	rules := map[string]int{}
	marks := map[string]int{}
	for _, res := range r.Results {
		for _, c := range res.Checks {
			id := ruleID(c.ID)
			i, known := rules[id]
			if !known {
				i = len(rules)
				rules[id] = i
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, newSarifRule(id, c))
			}
			if !needsAction(c.Verdict) {
				continue
			}
			mark := fingerprint(res.Subject, c)
			marks[mark]++
			found := newSarifResult(res, c)
			found.RuleID, found.RuleIndex = id, i
			found.Fingerprints = map[string]string{"primaryLocationLineHash": fmt.Sprintf("%s:%d", mark, marks[mark])}
			run.Results = append(run.Results, found)
		}
	}
	return run
}

// ruleID is a check's ID without its parameter: env.command[*] for each command.
func ruleID(id string) string {
	if base, _, ok := strings.Cut(id, "["); ok && base != "" {
		id = base + "[*]"
	}
	return Sanitize(id, maxName)
}

func newSarifRule(id string, c Check) sarifRule {
	text := Sanitize(c.Title, maxName) + "."
	markdown := mdText(c.Title) + "."
	if c.Setting != "" {
		text += " Decided by the policy's setting " + Sanitize(c.Setting, maxName) + "."
		markdown += " Decided by the policy's setting " + mdCode(c.Setting) + "."
	}
	if len(c.Refs) > 0 {
		text += " Standards: " + Sanitize(strings.Join(c.Refs, ", "), maxField) + "."
		markdown += "\n\nStandards: " + mdText(strings.Join(c.Refs, ", ")) + "."
	}
	more := "What is attempted, with which control, and how to switch the protection on: "
	text += " " + more + "tightship checks '" + id + "'."
	markdown += "\n\n" + more + mdCode("tightship checks '"+id+"'") + "."
	tags := []string{"security", Sanitize(c.Section, maxName)}
	for _, ref := range c.Refs {
		tags = append(tags, Sanitize(ref, maxName))
	}
	return sarifRule{
		ID: id, Short: sarifText{Text: Sanitize(c.Title, maxName)}, Full: sarifText{Text: text},
		Help: sarifText{Text: text, Markdown: markdown}, HelpURI: homepage + "/blob/main/docs/checks.md#" + anchor(id),
		Configuration: sarifConfiguration{Level: "error"},
		Properties:    sarifRuleProperties{Tags: distinct(tags, maxTags), Precision: "very-high"},
	}
}

// anchor is what GitHub calls a heading in a link.
func anchor(heading string) string {
	return url.PathEscape(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return -1
	}, strings.ToLower(heading)))
}

// distinct is the first limit different ones; SARIF wants tags to be unique.
func distinct(list []string, limit int) []string {
	seen := map[string]bool{}
	out := []string{}
	for _, s := range list {
		if s != "" && !seen[s] && len(out) < limit {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}

func newSarifResult(res Result, c Check) sarifResult {
	out := sarifResult{
		Level: "warning", Message: sarifText{Text: sarifMessage(res, c)}, Locations: []sarifLocation{location(res.Policy, c)},
		Properties: sarifResultProperties{
			Check: Sanitize(c.ID, maxName), Subject: subjectName(res.Subject), Digest: Sanitize(res.Subject.ImageDigest, maxName), Runtime: Sanitize(res.Subject.Runtime, maxName),
			Verdict: Sanitize(c.Verdict, maxName), Evidence: Sanitize(c.Evidence, maxName), RunID: Sanitize(res.RunID, maxName),
		},
	}
	out.Suppressions = []sarifSuppression{} // none, not unknown
	switch c.Verdict {
	case fail:
		out.Level = "error"
	case accepted:
		out.Level = "note"
		out.Suppressions = []sarifSuppression{{Kind: "external", Status: "accepted", Justification: Sanitize(c.Reason, maxField)}}
	}
	return out
}

// sarifMessage says it all in a few lines. "[text](target)" would be a link there.
func sarifMessage(res Result, c Check) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: %s (%s", Sanitize(c.ID, maxName), markOf(c.Verdict).word, Sanitize(c.Title, maxName), subjectName(res.Subject))
	if res.Subject.Runtime != "" {
		b.WriteString(" on " + Sanitize(res.Subject.Runtime, maxName))
	}
	b.WriteString(")")
	for _, d := range append(details(c), detail{"hint", c.Hint}) {
		if d.text != "" {
			fmt.Fprintf(&b, "\n%s: %s", d.label, Sanitize(d.text, maxField))
		}
	}
	return strings.ReplaceAll(b.String(), "](", "] (")
}

func location(policyFile string, c Check) sarifLocation {
	place := sarifLocation{Physical: sarifPhysical{Region: sarifRegion{max(c.Line, 1)}}}
	place.Physical.Artifact = artifact(policyFile)
	if c.Setting != "" {
		place.Logical = []sarifLogical{{Name: Sanitize(c.Setting, maxName), Kind: "property"}}
	}
	return place
}

func artifact(policyFile string) sarifArtifact {
	switch {
	case policyFile == "":
		return sarifArtifact{URI: defaultPolicy, BaseID: sourceRoot}
	case path.IsAbs(policyFile): // GitHub takes the checkout's directory off it
		return sarifArtifact{URI: (&url.URL{Scheme: "file", Path: path.Clean(policyFile)}).String()}
	}
	return sarifArtifact{URI: relativeURI(policyFile), BaseID: sourceRoot}
}

// relativeURI escapes a path part by part: a colon in the first would be a scheme.
func relativeURI(file string) string {
	parts := strings.Split(path.Clean(file), "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(p), ":", "%3A")
	}
	return strings.Join(parts, "/")
}

// fingerprint tells one finding from another across runs: by the check and what it
// is about, without the line, the reason, and the image's tag and digest, all of
// which change while the finding stays. GitHub knows it under the name
// primaryLocationLineHash, and would otherwise make one from the file's text, in
// which every finding on a line is the same one.
func fingerprint(s Subject, c Check) string {
	h := sha256.New()
	for _, part := range []string{c.ID, s.Container, repository(s.Image), s.Runtime} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// repository is an image's name without its tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}
