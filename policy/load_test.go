package policy

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tightship.yaml")
	if err := os.WriteFile(file, []byte("image: a\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if p.Image != "a" || p.Source != file {
		t.Errorf("image %q from %q", p.Image, p.Source)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data string, mode fs.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("large", strings.Repeat("\n", MaxFileSize+1), 0o600)
	write("closed", "image: a", 0)
	for _, row := range []struct {
		name, file, want string
		is               error
	}{
		{"absent", "none.yaml", "cannot be read: no such file or directory", fs.ErrNotExist},
		{"directory", ".", "is a directory, want a file", nil},
		{"large", "large", "is larger than 1 MiB, which no policy is", nil},
		{"closed", "closed", "cannot be read: permission denied", fs.ErrPermission},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.name == "closed" && os.Geteuid() == 0 {
				t.Skip("root reads everything")
			}
			file := filepath.Join(dir, row.file)
			_, err := Load(file)
			if err == nil {
				t.Fatal("loaded")
			}
			if diff := cmp.Diff(file+": "+row.want, err.Error()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if row.is != nil && !errors.Is(err, row.is) {
				t.Errorf("is not %v", row.is)
			}
			var one *Error
			if !errors.As(err, &one) || one.File != file {
				t.Errorf("%#v in place of an *Error about %s", one, file)
			}
		})
	}
}

func TestInitTemplateIsTheDefault(t *testing.T) {
	p := decode(t, string(InitTemplate()))
	for _, key := range []string{"version", "image", "user.groups", "tmpfs./tmp.dev", "limits.core", "environment.git.noninteractive", "credentials", "accept"} {
		if _, ok := p.Origins[key]; !ok {
			t.Errorf("%s is missing from the template", key)
		}
	}
	want := Default()
	p.Origins, p.Source = want.Origins, want.Source
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for i, line := range strings.Split(string(InitTemplate()), "\n") {
		if len(line) > 80 {
			t.Errorf("line %d is %d columns wide", i+1, len(line))
		}
	}
}

// The examples that stand in comments are policies.
func TestInitTemplateExamples(t *testing.T) {
	var examples []string
	for line := range strings.Lines(string(InitTemplate())) {
		if example, ok := strings.CutPrefix(line, "#   "); ok {
			examples = append(examples, "  "+example)
		} else if name, empty := strings.CutSuffix(line, ": []\n"); empty && len(examples) > 0 {
			file := name + ":\n" + strings.ReplaceAll(strings.Join(examples, ""), "check: ID", "check: fs.tmp-noexec")
			if p := decode(t, file); len(p.Credentials) != 2 && len(p.Accept) != 1 {
				t.Errorf("%d credentials and %d acceptances in\n%s", len(p.Credentials), len(p.Accept), file)
			}
			examples = nil
		}
	}
	if len(examples) > 0 {
		t.Errorf("no key behind\n%s", strings.Join(examples, ""))
	}
}

// Nothing that a caller does to one default may reach the next.
func TestDefaultIsFresh(t *testing.T) {
	p := Default()
	p.Tmpfs["/x"] = Tmpfs{}
	p.Environment.Commands[0].Run[0] = "x"
	p.Sysctls["x"] = "y"
	InitTemplate()[0] = 'x'
	if diff := cmp.Diff(Default(), decodeBare(t, string(InitTemplate()))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// decodeBare decodes without the traces of the file.
func decodeBare(t *testing.T, data string) *Policy {
	t.Helper()
	p := decode(t, data)
	p.Origins, p.Source = map[string]Origin{}, ""
	return p
}
