// Package scaffold makes the files with which a project starts to use this program,
// and writes them without ever taking anything away.
//
// What is there stays. A file that somebody has is theirs, whatever is in it: Plan
// says so, and Write leaves it alone unless it is told to replace it. Nothing is
// written outside the directory, also where a symbolic link leads there (os.Root),
// and a file is there whole or not at all.
package scaffold

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/tightship-dev/tightship/policy"
)

// The files, by their paths from the directory.
const (
	PolicyFile   = "tightship.yaml"
	WorkflowFile = ".github/workflows/tightship.yml"
	ComposeFile  = "compose.yaml"
)

// File is one file that a project starts with.
type File struct {
	Path    string // from the directory, with slashes
	About   string // what it is for, in one line
	Content []byte
}

//go:embed workflow.yml
var workflow string

// Options is what the files depend on.
type Options struct {
	// Policy is what the directory has in PolicyFile; nil where it has none, and
	// then the files begin with the commented defaults.
	Policy  *policy.Policy
	Runtime string    // OCI runtime of a new policy; "" is the default's
	Now     time.Time // from which what a new policy accepts is good for a year
	Action  string    // the commit or version of the action that the workflow uses
}

// Files is every file, the policy first.
func Files(o Options) ([]File, error) {
	text, p := policy.InitTemplateFor(o.Runtime, o.Now), o.Policy
	if p == nil {
		var err error
		if p, err = policy.Decode(PolicyFile, text); err != nil {
			return nil, err
		}
	}
	compose, err := p.Compose()
	if err != nil {
		return nil, err
	}
	var profile bytes.Buffer
	if err := json.Indent(&profile, []byte(policy.SeccompProfile(p.Runtime)), "", "\t"); err != nil {
		return nil, err
	}
	profile.WriteByte('\n')
	// An image's name has no character that would end a quoted one (Decode).
	files := []File{
		{PolicyFile, "what the agent may do, and what is proven about it", text},
		{WorkflowFile, "proves it on every change, on GitHub", []byte(strings.NewReplacer("ACTION_VERSION", o.Action, "IMAGE_NAME", p.Image).Replace(workflow))},
		{ComposeFile, "a service with every protection of the policy", compose},
	}
	if p.Seccomp == policy.SeccompDefault {
		files = append(files, File{policy.ComposeSeccomp, "the system call filter that " + ComposeFile + " uses", profile.Bytes()})
	}
	return files, nil
}

// State is what stands where a file would.
type State string

// The states.
const (
	Missing State = "missing"
	Same    State = "same"    // exactly this file
	Differs State = "differs" // another one, or something that is no regular file
)

// Plan looks at what stands where a file would. The error is about what can never
// be written, such as a directory of that name.
func Plan(root *os.Root, f File) (State, error) {
	info, err := root.Lstat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Missing, nil
	case err != nil:
		return "", err
	case info.IsDir():
		return "", &fs.PathError{Op: "write", Path: f.Path, Err: errors.New("is a directory")}
	case !info.Mode().IsRegular() || info.Size() != int64(len(f.Content)):
		return Differs, nil
	}
	file, err := root.Open(f.Path)
	if err != nil {
		return Differs, nil // it is there, and not ours to read
	}
	defer file.Close()
	have, err := io.ReadAll(io.LimitReader(file, int64(len(f.Content))+1))
	if err != nil || !bytes.Equal(have, f.Content) {
		return Differs, nil
	}
	return Same, nil
}

// Write writes a file and the directories above it. What stands there is replaced:
// ask Plan first.
func Write(root *os.Root, f File) error {
	dir := path.Dir(f.Path)
	if err := root.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	temporary := path.Join(dir, ".tightship-"+rand.Text()+".tmp")
	file, err := root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = file.Write(f.Content)
	if err == nil {
		err = file.Sync()
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = root.Rename(temporary, f.Path)
	}
	if err != nil {
		_ = root.Remove(temporary) // the first error is the one to tell
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}
