package doctor

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/kernel"
)

// FuzzMachine puts one text everywhere where a machine's files and an engine
// speak. Whatever it is, the result holds together and shows no control
// character.
func FuzzMachine(f *testing.F) {
	for _, m := range machines() {
		for _, file := range m.files {
			f.Add(string(file.Data))
		}
	}
	f.Add("\x1b[2J\n\u202e\xff")
	f.Fuzz(func(t *testing.T, text string) {
		m := ready()
		files := fstest.MapFS{}
		for name, old := range m.files {
			files[name] = &fstest.MapFile{Data: []byte(text), Mode: old.Mode, Sys: old.Sys}
		}
		m.files = files
		i := dockerInfo()
		i.Version, i.Arch, i.Driver, i.Root, i.Runtimes = text, text, text, text, []string{text}
		i.Programs[text] = engine.Program{Path: text, Args: strings.Fields(text), Type: text}
		m.engines[defaultHost] = i
		m.programs["/usr/bin/runsc"] = text
		m.env["DOCKER_HOST"] = text
		invariants(t, m.result())
	})
}

func FuzzRelease(f *testing.F) {
	f.Add([]byte("ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME=\"Ubuntu 24.04\""))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, family := parseRelease(data); family != "" && family != debianFamily && family != fedoraFamily {
			t.Errorf("family %q", family)
		}
	})
}

func FuzzNumbers(f *testing.F) {
	f.Add([]byte("MemTotal: 9223372036854775807 kB"), "user")
	f.Add([]byte("user:1:4294967295\nuser:1:4294967295"), "user")
	f.Add([]byte("docker:x:7:user"), "user")
	f.Add([]byte(v1Controllers), "")
	f.Fuzz(func(t *testing.T, data []byte, user string) {
		if n := parseMemory(data); n < 0 {
			t.Errorf("memory %d", n)
		}
		if n := parseSubIDs(data, user, 1000); n < 0 || n > 1<<32 {
			t.Errorf("%d IDs", n)
		}
		if name, listed := parseGroup(data, 7, user); listed && (name == "" && !strings.HasPrefix(string(data), ":") && !strings.Contains(string(data), "\n") || user == "") {
			t.Errorf("%q is listed in %q", user, name)
		}
		for _, c := range parseControllers(data) {
			if c == "" || strings.ContainsAny(c, " \t\n") {
				t.Errorf("controller %q", c)
			}
		}
		hasFilesystem(data, "overlay")
	})
}

func FuzzContext(f *testing.F) {
	f.Add([]byte(`{"currentContext":"x"}`))
	f.Add([]byte(`{"Endpoints":{"docker":{"Host":"unix:///x"}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if dir := contextDir(contextName(data)); len(dir) != len("contexts/meta/")+64 {
			t.Errorf("context in %q", dir)
		}
		contextHost(data)
	})
}

func FuzzVersion(f *testing.F) {
	f.Add([]byte("runsc version v0.0.0-20260701204157-69c2d17aea96"))
	f.Add([]byte("runsc version 0.0~20221219.0\n"))
	f.Add([]byte("warning: x\ncrun version 1.8.1\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		v := parseVersion(out)
		if strings.ContainsAny(v, " \n\t") {
			t.Errorf("version %q", v)
		}
		if day, ok := versionDate(v); ok && (day.Year() < 2000 || day.Year() > 2099) {
			t.Errorf("%q is of %v", v, day)
		}
	})
}

// FuzzQuote shows that no text leaves its place in a command: a shell would see
// one word.
func FuzzQuote(f *testing.F) {
	f.Add("a'b")
	f.Add("$(reboot)\n`x`")
	f.Fuzz(func(t *testing.T, s string) {
		q := quote(s)
		harmless(t, q)
		if strings.Contains(q, "\n") {
			t.Errorf("%q has two lines", q)
		}
		inside := false
		for i := 0; i < len(q); i++ {
			switch c := q[i]; {
			case c == '\'':
				inside = !inside
			case inside:
			case c == '\\' && i+1 < len(q) && q[i+1] == '\'':
				i++
			case !plainWord.MatchString(string(c)):
				t.Fatalf("%q: %q stands outside of the quotes", q, c)
			}
		}
		if inside || q == "" {
			t.Errorf("%q does not end", q)
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("tcp://user:secret@host:1/x?y")
	f.Add("tcp://user:s%zz@host:1")
	f.Add("user:secret@host")
	f.Fuzz(func(t *testing.T, s string) {
		before, _, ok := strings.Cut(strings.TrimPrefix(s, "tcp://"), "@")
		_, password, has := strings.Cut(before, ":")
		if got := bare(s); ok && has && strings.HasPrefix(s, "tcp://") && len(password) > 3 && !strings.ContainsAny(password, "/?#") &&
			strings.Contains(got, ":"+password+"@") {
			t.Errorf("%q shows the password of %q", got, s)
		}
	})
}

// Cgroups are read from several files that need not agree.
func FuzzCgroup(f *testing.F) {
	f.Add([]byte(hybridMounts), []byte("4:memory:/a\n0::/"), []byte(v1Controllers))
	f.Add([]byte(v2Mounts), []byte("0::/../x"), []byte("cpu memory pids"))
	f.Fuzz(func(t *testing.T, mountinfo, own, names []byte) {
		m := ready()
		m.files["proc/self/cgroup"], m.files["proc/cgroups"] = file(string(own)), file(string(names))
		m.files["sys/fs/cgroup/cgroup.controllers"] = file(string(names))
		mounts, err := kernel.ParseMountinfo(mountinfo)
		if err != nil {
			return
		}
		c := m.probes().cgroup(mounts)
		if len(c.Usable) > 3 || len(c.Enabled) > 3 || c.Version == "" && len(c.Usable) > 0 {
			t.Errorf("%+v", c)
		}
	})
}
