package image

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func embedded(t *testing.T, name string) string {
	t.Helper()
	b, err := buildContext.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func dockerfile(t *testing.T) string { return embedded(t, "Dockerfile") }

// instruction is one instruction of a Dockerfile with its continuation lines joined.
type instruction struct {
	stage int // counted from 1; 0 is before the first FROM
	name  string
	args  string
}

func parse(dockerfile string) (list []instruction) {
	stage := 0
	comment := regexp.MustCompile(`(?m)^\s*#.*\n`)
	joined := strings.ReplaceAll(comment.ReplaceAllString(dockerfile, ""), "\\\n", " ")
	for line := range strings.Lines(joined) {
		name, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name == "" {
			continue
		}
		if name == "FROM" {
			stage++
		}
		list = append(list, instruction{stage, name, spaces.ReplaceAllString(args, " ")})
	}
	return list
}

var mountSource = regexp.MustCompile(`--mount=type=bind,source=([^, ]+)`)

// sources are the files of the build context that an instruction takes.
func (i instruction) sources() (names []string) {
	for _, m := range mountSource.FindAllStringSubmatch(i.args, -1) {
		names = append(names, m[1])
	}
	if (i.name == "COPY" || i.name == "ADD") && !strings.Contains(i.args, "--from=") {
		words := strings.Fields(i.args)
		words = slices.DeleteFunc(words, func(w string) bool { return strings.HasPrefix(w, "--") })
		names = append(names, words[:len(words)-1]...)
	}
	return names
}

// lint returns what is wrong with a Dockerfile: the promises of the package's
// comment that can be read off its text. The end-to-end test has the others.
func lint(dockerfile string) (problems []string) {
	problem := func(s string) { problems = append(problems, s) }
	if strings.HasPrefix(dockerfile, "# syntax=") {
		problem("a # syntax line is fetched from a registry")
	}
	list := parse(dockerfile)
	last := list[len(list)-1].stage
	var user, health, strips, copies int
	for n, i := range list {
		lower := strings.ToLower(i.args)
		switch i.name {
		case "COPY", "ADD":
			if i.stage == last {
				copies = n
			}
			if i.name == "ADD" {
				problem("ADD can fetch and unpack: use COPY")
			}
			if regexp.MustCompile(`\bca\b|\.pem|\.crt|\.key|certs?\b`).MatchString(lower) {
				problem("copies a CA: " + i.args)
			}
		case "ENV", "ARG", "LABEL":
			if regexp.MustCompile(`token|api_?key|password|secret|ca_bundle|ca_certs|ssl_cert|cafile|pip_cert`).MatchString(lower) {
				problem("a secret or a CA would stay in the image's configuration: " + i.args)
			}
		case "USER":
			if i.stage == last {
				user = n
				if i.args != "1000:100" {
					problem("runs as " + i.args)
				}
			}
		case "HEALTHCHECK":
			health = n
		case "RUN":
			if strings.Contains(i.args, "&& sh /tmp/strip-privileges") && i.stage == last {
				strips = n
			}
			if strings.Contains(i.args, "build-env ") {
				for _, mount := range []string{"type=secret,id=ca,target=/tmp/ca,required=false", "type=tmpfs,target=/tmp "} {
					if !strings.Contains(i.args, "--mount="+mount) {
						problem("uses build-env without --mount=" + mount)
					}
				}
			} else if regexp.MustCompile(`apt-get|pip install|npm`).MatchString(i.args) {
				problem("goes to the network without build-env: " + i.args)
			}
			if strings.Contains(i.args, "pip install") && !strings.Contains(i.args, "--require-hashes") {
				problem("pip install without --require-hashes")
			}
			if regexp.MustCompile(`npm(-cli\.js)? (ci|install)`).MatchString(i.args) && !strings.Contains(i.args, " ci --ignore-scripts") {
				problem("npm must be `npm ci --ignore-scripts`")
			}
		}
	}
	if strips == 0 || strips < copies {
		problem("the last layer with files does not strip SUID, SGID and file capabilities")
	}
	if user < strips || user == 0 {
		problem("no USER for the container's life")
	}
	if health == 0 {
		problem("no HEALTHCHECK")
	}
	return problems
}

func TestDockerfile(t *testing.T) {
	for _, p := range lint(dockerfile(t)) {
		t.Error(p)
	}
}

// TestLint weakens the Dockerfile one promise at a time: a lint that stays quiet
// then would be worth nothing.
func TestLint(t *testing.T) {
	for _, tt := range []struct{ name, old, new, want string }{
		{"strip step removed", "sh /tmp/strip-privileges", "true", "does not strip"},
		{"strip step not last", "ENV HOME=", "COPY --from=packages /bin/su /bin/su\nENV HOME=", "does not strip"},
		{"CA copied", "COPY requirements.txt", "COPY company-ca.crt /etc/ssl/\nCOPY requirements.txt", "copies a CA"},
		{"CA in the environment", "ENV HOME=", "ENV SSL_CERT_FILE=/etc/ca HOME=", "secret or a CA"},
		{"CA as a build argument", "ARG VERSION", "ARG CA_BUNDLE\nARG VERSION", "secret or a CA"},
		{"secret as a build argument", "ARG VERSION", "ARG NPM_TOKEN\nARG VERSION", "secret or a CA"},
		{"CA required", ",required=false", "", "without --mount=type=secret"},
		{"no hashes for Python", "--require-hashes ", "", "--require-hashes"},
		{"install scripts run", "ci --ignore-scripts", "ci", "ignore-scripts"},
		{"npm install", "npm-cli.js ci --ignore-scripts", "npm-cli.js install --ignore-scripts", "npm ci"},
		{"root", "USER 1000:100", "USER root", "runs as root"},
		{"no user", "USER 1000:100\n", "", "no USER"},
		{"no health check", "HEALTHCHECK", "# HEALTHCHECK", "no HEALTHCHECK"},
		{"remote frontend", "# The reference", "# syntax=docker/dockerfile:1\n# The reference", "syntax"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			weak := strings.ReplaceAll(dockerfile(t), tt.old, tt.new)
			if weak == dockerfile(t) {
				t.Fatalf("the Dockerfile has no %q", tt.old)
			}
			if got := lint(weak); !strings.Contains(strings.Join(got, "\n"), tt.want) {
				t.Errorf("lint says %q, want something with %q", got, tt.want)
			}
		})
	}
}

// The strip step is a script of its own; these are the lines it rests on.
func TestStripPrivileges(t *testing.T) {
	script := embedded(t, "strip-privileges.sh")
	for _, want := range []string{
		"set -eu",
		"\nfind / -xdev -perm /6000 -exec chmod a-s {} +",
		`os.removexattr(path, "security.capability")`,
		"\ncapabilities remove",
		"left=$(find / -xdev -perm /6000; capabilities list)",
		"exit 1",
	} {
		if !strings.Contains(script, want) {
			t.Errorf("strip-privileges.sh lacks %q", want)
		}
	}
}

func TestContextIsComplete(t *testing.T) {
	used := map[string]bool{"Dockerfile": true}
	for _, i := range parse(dockerfile(t)) {
		for _, name := range i.sources() {
			used[name] = true
			if _, err := fs.Stat(buildContext, name); err != nil {
				t.Errorf("%s %s: not embedded", i.name, name)
			}
		}
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	sourceOnly := func(name string) bool { return filepath.Ext(name) == ".go" || name == "requirements.in" }
	for _, f := range files {
		if !used[f.Name()] && !sourceOnly(f.Name()) {
			t.Errorf("%s: the Dockerfile does not use it", f.Name())
		}
	}
}

func TestPythonPackagesArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^([a-z0-9-]+)==\S+ \\$`)
	hash := regexp.MustCompile(`^--hash=sha256:[0-9a-f]{64}( \\)?$`)
	hashes := map[string]int{}
	name := ""
	for line := range strings.Lines(embedded(t, "requirements.txt")) {
		line = strings.TrimSpace(line)
		switch m := pinned.FindStringSubmatch(line); {
		case line == "" || strings.HasPrefix(line, "#"):
		case m != nil:
			name = m[1]
			hashes[name] = 0
		case hash.MatchString(line) && name != "":
			hashes[name]++
		default:
			t.Errorf("neither a pinned package nor a hash: %q", line)
		}
	}
	for name, n := range hashes {
		if n == 0 {
			t.Errorf("%s has no hash", name)
		}
	}
	for _, name := range []string{"anthropic", "requests", "pygithub"} {
		if hashes[name] == 0 {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestNPMPackagesArePinned(t *testing.T) {
	var manifest struct {
		Dependencies, OptionalDependencies map[string]string
	}
	var lock struct {
		Packages map[string]struct {
			Version, Resolved, Integrity string
			InBundle                     bool
		}
	}
	for name, v := range map[string]any{"package.json": &manifest, "package-lock.json": &lock} {
		if err := json.Unmarshal([]byte(embedded(t, name)), v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for name, p := range lock.Packages {
		// What npm bundles is inside its own, hashed, tarball.
		if name == "" || p.InBundle {
			continue
		}
		if !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s: integrity %q", name, p.Integrity)
		}
		if !strings.HasPrefix(p.Resolved, "https://registry.npmjs.org/") {
			t.Errorf("%s: resolved %q", name, p.Resolved)
		}
	}
	direct := 0
	for _, dependencies := range []map[string]string{manifest.Dependencies, manifest.OptionalDependencies} {
		for name, version := range dependencies {
			direct++
			if got := lock.Packages["node_modules/"+name].Version; got != version {
				t.Errorf("%s: package.json says %q, package-lock.json %q", name, version, got)
			}
		}
	}
	if direct != 4 {
		t.Errorf("%d direct dependencies, want Claude Code, npm and two of Node.js", direct)
	}
}
