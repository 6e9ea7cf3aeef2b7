package verify

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tightship-dev/tightship/engine"
	"github.com/tightship-dev/tightship/spec"
)

// A result is about one image, one set of settings and one runtime. What
// follows says which, in digests, so that somebody who has the result later can
// tell whether what is there now is what was verified.

// Declared is the digest of a container's settings as its engine reports them:
// report.Result.SettingsDigest of a verified container. It stays the same for as
// long as nobody changes the container, running or not.
func Declared(st engine.State) string {
	other := st.Other
	for _, field := range st.Undeclared {
		other = append(other[:len(other):len(other)], "undeclared="+field)
	}
	return st.Declared.Digest(other...)
}

// Launched is the digest of the settings that a policy asks for, as they are
// launched for its image: report.Result.SettingsDigest of a verified image. The
// workspace's place on the host is no part of it: what was verified had an empty
// volume there.
func Launched(wanted spec.Container) string {
	c := wanted.Clone()
	for i, m := range c.Mounts {
		c.Mounts[i] = spec.Mount{Kind: spec.Volume, Target: m.Target, ReadOnly: m.ReadOnly}
	}
	return c.Digest()
}

func (r *run) settingsDigest() string {
	if r.original != nil {
		return r.original.digest
	}
	c := r.base.Clone()
	if r.opts.Weaken != nil {
		r.opts.Weaken(&c)
	}
	for i, m := range c.Mounts {
		if strings.HasPrefix(m.Source, r.prefix()) {
			c.Mounts[i].Source = ""
		}
	}
	return c.Digest()
}

func sha256Of(data []byte) string {
	sum := sha256.Sum256(data)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// program is what is known of a runtime's program: a digest, or why not.
type program struct{ digest, note string }

// hashing starts to hash a runtime's program, which may be large, and returns
// what waits for it.
func hashing(info engine.Info, runtime string) func() program {
	done := make(chan program, 1)
	go func() {
		digest, err := RuntimeDigest(info, runtime)
		p := program{digest: digest}
		if err != nil {
			p.note = err.Error()
		}
		done <- p
	}()
	return sync.OnceValue(func() program { return <-done })
}

// RuntimeDigest is the digest of the program that an engine starts as a runtime,
// together with the arguments that it always gives it, as those can take a
// protection away. The error says why it is not known, as for an engine on
// another host.
func RuntimeDigest(info engine.Info, runtime string) (string, error) {
	if !info.Local {
		return "", errors.New("the engine runs on another host")
	}
	p := info.Programs[cmp.Or(runtime, info.Runtime)]
	if p.Path == "" {
		return "", fmt.Errorf("the engine does not say which program %s is", runtime)
	}
	path, err := lookUp(p.Path)
	if err != nil {
		return "", err
	}
	sum, err := ofFile(path)
	if err != nil {
		return "", fmt.Errorf("the runtime's program cannot be read: %w", err)
	}
	args, err := json.Marshal(append([]string{}, p.Args...))
	if err != nil {
		return "", err
	}
	if len(p.Args) == 0 {
		return "sha256:" + sum, nil // that of the file, as sha256sum prints it
	}
	return sha256Of([]byte(sum + " " + string(args))), nil
}

// lookUp finds a program as an engine does that was started by the system.
func lookUp(name string) (string, error) {
	if filepath.IsAbs(name) {
		return name, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	for _, dir := range []string{"/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no program %s on this host", name)
}

// hashed keeps the digests of files for as long as they look the same: many
// verifications use one runtime, and gVisor's is 80 megabytes.
var hashed sync.Map

func ofFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is no regular file", path)
	}
	key := fmt.Sprint(path, info.Size(), info.ModTime().UnixNano())
	if sum, ok := hashed.Load(key); ok {
		return sum.(string), nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, f); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	hashed.Store(key, sum)
	return sum, nil
}
