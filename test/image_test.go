package test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// imageLabel marks the images of one run of this lane; its value is the PID of
// the test, so that the images of a run that was killed can be removed later.
const imageLabel = "tightship-e2e"

// The directives of an image, one a line:
//
//	base                    the folders and accounts of a small Linux, and the inmate
//	dir PATH MODE [UID:GID]
//	file PATH MODE          the inmate (testdata/inmate): it behaves as it is called
//	text PATH MODE TEXT     a file with this text
//	link PATH TARGET        a symbolic link
//	fifo PATH               a named pipe
//	config JSON             the image's configuration, as in the OCI image format
//	arch NAME               instead of this machine's
//
// A path that comes again replaces the one of before.
type image struct {
	entries []entry
	config  map[string]any
	arch    string
}

type entry struct {
	header  *tar.Header
	content []byte
}

// small is what "base" stands for.
const small = `
dir /bin 755
dir /dev 755
dir /etc 755
dir /home 755
dir /home/claude-agent 755 1000:100
dir /proc 755
dir /root 700
dir /sys 755
dir /tmp 1777
dir /usr 755
dir /usr/bin 755
dir /usr/local 755
dir /usr/local/bin 755
dir /var 755
dir /var/lib 755
dir /var/tmp 1777
text /etc/passwd 644 root:x:0:0:root:/root:/bin/sh\nclaude-agent:x:1000:100::/home/claude-agent:/bin/sh\n
text /etc/group 644 root:x:0:\nusers:x:100:\n
file /usr/bin/inmate 755
link /usr/bin/sleep inmate
link /usr/bin/echo inmate
link /usr/bin/false inmate
config {"Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/home/claude-agent"], "User": "1000:100"}
`

// imageCommand makes an image from a file of directives and puts its name into
// a variable.
func imageCommand(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: image NAME FILE")
	}
	name, err := makeImage(ts.Name()+"-"+args[0], ts.ReadFile(args[1]))
	ts.Check(err)
	ts.Setenv(args[0], name)
	ts.Defer(func() { _, _ = docker("rmi", "-f", name) })
}

// makeImage loads an image and returns its name.
func makeImage(name, directives string) (string, error) {
	i := &image{config: map[string]any{}, arch: runtime.GOARCH}
	if err := i.follow(directives); err != nil {
		return "", err
	}
	name = fmt.Sprintf("%s-%d:%s", imageLabel, os.Getpid(), strings.ToLower(name))
	archive, err := i.archive(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	load := exec.CommandContext(ctx, "docker", "load", "--quiet")
	load.Stdin = bytes.NewReader(archive)
	if out, err := load.CombinedOutput(); err != nil {
		return "", fmt.Errorf("docker load: %w: %s", err, out)
	}
	return name, nil
}

func (i *image) follow(directives string) error {
	for line := range strings.Lines(directives) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := i.directive(line); err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func (i *image) directive(line string) error {
	word, rest, _ := strings.Cut(line, " ")
	switch word {
	case "base":
		return i.follow(small)
	case "arch":
		i.arch = rest
		return nil
	case "config":
		return json.Unmarshal([]byte(rest), &i.config) // keys replace those of before
	}
	f := strings.SplitN(rest, " ", 3)
	h := &tar.Header{Name: strings.TrimPrefix(f[0], "/"), Mode: 0o755}
	if len(f) > 1 && word != "link" {
		mode, err := strconv.ParseInt(f[1], 8, 64)
		if err != nil {
			return err
		}
		h.Mode = mode
	}
	var content []byte
	switch {
	case word == "dir" && len(f) > 1:
		h.Typeflag = tar.TypeDir
		if len(f) == 3 {
			if _, err := fmt.Sscanf(f[2], "%d:%d", &h.Uid, &h.Gid); err != nil {
				return err
			}
		}
	case word == "file" && len(f) == 2:
		var err error
		if content, err = os.ReadFile(filepath.Join(bin, "inmate")); err != nil {
			return err
		}
	case word == "text" && len(f) == 3:
		text, err := strconv.Unquote(`"` + strings.ReplaceAll(f[2], `"`, `\"`) + `"`)
		if err != nil {
			return err
		}
		content = []byte(text)
	case word == "link" && len(f) == 2:
		h.Typeflag, h.Linkname = tar.TypeSymlink, f[1]
	case word == "fifo" && len(f) == 1:
		h.Typeflag = tar.TypeFifo
	default:
		return fmt.Errorf("no such directive")
	}
	h.Size = int64(len(content))
	i.entries = append(slices.DeleteFunc(i.entries, func(e entry) bool { return e.header.Name == h.Name }), entry{h, content})
	return nil
}

// archived puts entries into a tar.
func archived(entries []entry) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(e.header); err != nil {
			return nil, err
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// archive is what docker load reads: a manifest, the configuration, one layer.
func (i *image) archive(name string) ([]byte, error) {
	labels, _ := i.config["Labels"].(map[string]any)
	if labels == nil {
		labels = map[string]any{}
	}
	labels[imageLabel] = strconv.Itoa(os.Getpid())
	i.config["Labels"] = labels
	layer, err := archived(i.entries)
	if err != nil {
		return nil, err
	}
	diff := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": i.arch, "os": "linux", "config": i.config,
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(diff[:])}},
	})
	if err != nil {
		return nil, err
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return nil, err
	}
	file := func(name string, content []byte) entry {
		return entry{&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}, content}
	}
	return archived([]entry{file("manifest.json", manifest), file("config.json", config), file("layer.tar", layer)})
}

// removeImages removes this run's images and those of runs that are no more.
func removeImages() {
	ids, err := docker("images", "-q", "--no-trunc", "--filter", "label="+imageLabel)
	if err != nil {
		return
	}
	for _, id := range strings.Fields(ids) {
		owner, err := docker("image", "inspect", "-f", `{{index .Config.Labels "`+imageLabel+`"}}`, id)
		pid, perr := strconv.Atoi(owner)
		if err != nil || perr != nil || pid != os.Getpid() && syscall.Kill(pid, 0) == nil {
			continue
		}
		_, _ = docker("rmi", "-f", id)
	}
}
