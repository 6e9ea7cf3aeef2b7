package doctor

import (
	"context"
	"path"
	"path/filepath"
	"slices"
	"sync"
)

// runtimes are the OCI runtimes that we know; tools, programs whose presence
// decides which advice is right.
var (
	runtimes = []string{"runsc", "runc", "crun"}
	tools    = []string{"dockerd", "podman", "newuidmap", "newgidmap"}
)

// systemDirs are where systems keep such programs although the PATH of an
// ordinary user may not have them. The last is where scripts/setup.sh puts the
// runtime that it registers.
var systemDirs = []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/lib/tightship"}

// programs finds the runtimes and tools, and asks the runtimes for their
// versions, all at once.
func (p Probes) programs(ctx context.Context) []Program {
	var out []Program
	for _, name := range slices.Concat(runtimes, tools) {
		out = append(out, p.find(name)...)
	}
	var group sync.WaitGroup
	for i := range out {
		if slices.Contains(runtimes, out[i].Name) {
			group.Go(func() {
				// One that hangs must not hide that the others are there.
				out[i].Version, _ = within(ctx, func(ctx context.Context) string {
					printed, err := p.Version(ctx, out[i].Path)
					if err != nil {
						return ""
					}
					return word(parseVersion(printed))
				})
			})
		}
	}
	group.Wait()
	return out
}

// find returns the program beside ours, then the others in the order of the
// PATH. A relative directory in the PATH is nothing to run programs from.
func (p Probes) find(name string) []Program {
	var out []Program
	seen := map[string]bool{}
	dirs := slices.Concat([]string{p.Dir}, filepath.SplitList(p.Getenv("PATH")), systemDirs)
	for i, dir := range dirs {
		if !path.IsAbs(dir) {
			continue
		}
		file := path.Join(dir, name)
		info, err := p.stat(file)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			continue
		}
		key, ok := identity(info, nil)
		if !ok {
			key = file
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		out = append(out, Program{Name: name, Path: file, Bundled: i == 0 && !slices.Contains(systemDirs, path.Clean(dir))})
	}
	return out
}

// has reports whether a program is there.
func (f Facts) has(name string) bool {
	return slices.ContainsFunc(f.Programs, func(p Program) bool { return p.Name == name })
}

// named is the programs of one name, the first to be found first.
func (f Facts) named(name string) []Program {
	var out []Program
	for _, p := range f.Programs {
		if p.Name == name {
			out = append(out, p)
		}
	}
	return out
}
