package upstream

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// NPM is a registry: metadata, tarballs, publish, and who one is. As at
// registry.npmjs.org the metadata names tarballs by their whole URL at the registry.
type NPM struct {
	mu       sync.Mutex
	packages map[string]*npmPackage
}

type npmPackage struct {
	tags     map[string]string
	versions map[string]map[string]any // package.json with dist
	tarballs map[string][]byte         // by file name
}

// NewNPM makes a registry with one package, version 1.0.0, that exports a text.
func NewNPM(name, text string) (*NPM, error) {
	manifest := map[string]any{"name": name, "version": "1.0.0", "main": "index.js", "license": "MIT"}
	about, err := json.Marshal(manifest)
	if err != nil {
		return nil, err
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return nil, err
	}
	tarball, err := tgz(map[string][]byte{
		"package/package.json": about, "package/index.js": []byte("module.exports = " + string(quoted) + ";\n"),
	})
	if err != nil {
		return nil, err
	}
	n := &NPM{packages: map[string]*npmPackage{}}
	n.add(name, "latest", manifest, tarball)
	return n, nil
}

// Versions is the versions of a package, in order.
func (n *NPM) Versions(name string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.packages[name]
	if p == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(p.versions))
}

func (n *NPM) add(name, tag string, manifest map[string]any, tarball []byte) {
	p := n.packages[name]
	if p == nil {
		p = &npmPackage{tags: map[string]string{}, versions: map[string]map[string]any{}, tarballs: map[string][]byte{}}
		n.packages[name] = p
	}
	version, _ := manifest["version"].(string)
	p.tags[tag], p.versions[version] = version, manifest
	p.tarballs[tarballName(name, version)] = tarball
}

// tarballName leaves out the scope, as the registry does.
func tarballName(name, version string) string {
	return name[strings.LastIndex(name, "/")+1:] + "-" + version + ".tgz"
}

// ServeHTTP answers as registry.npmjs.org does.
func (n *NPM) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/")
	name, file, isTarball := strings.Cut(path, "/-/")
	p := n.packages[name]
	switch {
	case r.Method == http.MethodGet && path == "-/whoami":
		sendJSON(w, http.StatusOK, map[string]any{"username": "stand-in"})
	case r.Method == http.MethodPut && path != "" && !isTarball:
		status, text := http.StatusCreated, "published"
		if err := n.publish(name, r.Body); err != nil {
			status, text = http.StatusBadRequest, err.Error()
		}
		sendJSON(w, status, map[string]any{"ok": status == http.StatusCreated, "error": text})
	case r.Method == http.MethodGet && isTarball && p != nil && p.tarballs[file] != nil:
		w.Header().Set("Content-Type", "application/octet-stream")
		_, _ = w.Write(p.tarballs[file])
	case r.Method == http.MethodGet && !isTarball && p != nil:
		sendJSON(w, http.StatusOK, p.metadata(name, "https://"+r.Host))
	default:
		sendJSON(w, http.StatusNotFound, map[string]any{"error": "Not found"})
	}
}

func (p *npmPackage) metadata(name, base string) map[string]any {
	versions := map[string]any{}
	for version, manifest := range p.versions {
		file := tarballName(name, version)
		short, long := sha1.Sum(p.tarballs[file]), sha512.Sum512(p.tarballs[file])
		manifest["dist"] = map[string]any{
			"tarball":   fmt.Sprintf("%s/%s/-/%s", base, name, file),
			"shasum":    hex.EncodeToString(short[:]),
			"integrity": "sha512-" + base64.StdEncoding.EncodeToString(long[:]),
		}
		versions[version] = manifest
	}
	return map[string]any{"name": name, "dist-tags": p.tags, "versions": versions}
}

// publish takes what `npm publish` sends: the metadata with the tarball in base64.
func (n *NPM) publish(name string, body io.Reader) error {
	var doc struct {
		Name        string                    `json:"name"`
		DistTags    map[string]string         `json:"dist-tags"`
		Versions    map[string]map[string]any `json:"versions"`
		Attachments map[string]struct {
			Data []byte `json:"data"`
		} `json:"_attachments"`
	}
	if err := json.NewDecoder(body).Decode(&doc); err != nil {
		return err
	}
	if doc.Name != name || len(doc.Versions) != 1 || len(doc.Attachments) != 1 {
		return errors.New("want one version of the package that is named")
	}
	for tag, version := range doc.DistTags {
		for _, a := range doc.Attachments {
			if doc.Versions[version] == nil {
				return fmt.Errorf("the tag %s names no version", tag)
			}
			n.add(name, tag, doc.Versions[version], a.Data)
		}
	}
	return nil
}

func tgz(files map[string][]byte) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name])), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := t.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
