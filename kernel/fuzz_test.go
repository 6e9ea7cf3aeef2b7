package kernel

import (
	"path"
	"testing"
	"testing/fstest"
)

func FuzzStatus(f *testing.F) {
	f.Add([]byte(fixtureStatus))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s State
		if err := parseStatus(data, &s); err == nil && (s.Seccomp < -1 || s.UIDs[0] < 0) {
			t.Errorf("impossible state %+v", s)
		}
	})
}

func FuzzStat(f *testing.F) {
	f.Add([]byte(fixtureStat))
	f.Fuzz(func(t *testing.T, data []byte) { parseStat(data) })
}

func FuzzLimits(f *testing.F) {
	f.Add([]byte(fixtureLimits))
	f.Fuzz(func(t *testing.T, data []byte) {
		limits, err := parseLimits(data)
		if err != nil {
			return
		}
		for name, l := range limits {
			if l.Soft < NoLimit || l.Hard < NoLimit {
				t.Errorf("%s is %v", name, l)
			}
		}
	})
}

func FuzzMountinfo(f *testing.F) {
	f.Add([]byte(fixtureMountinfo))
	f.Add([]byte("1 2 0:1 / / rw - a b c\n2 1 0:1 / / rw - a b c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		mounts, err := parseMountinfo(data)
		if err != nil {
			return
		}
		s := State{Mounts: mounts}
		for _, m := range mounts[:min(len(mounts), 20)] {
			if got, ok := s.MountAt(m.Target); ok && got.Target != path.Clean(m.Target) {
				t.Errorf("MountAt(%q) is at %q", m.Target, got.Target)
			}
			if m.Has("ro") && m.Has("rw") {
				t.Errorf("%+v is both ro and rw", m)
			}
		}
	})
}

func FuzzCgroup(f *testing.F) {
	f.Add([]byte("4:memory:/docker/"+hex+"/x\n0::/\n"), []byte(v1Mounts), []byte("max\n"))
	f.Add([]byte("0::/../c\n"), []byte("41 31 0:38 /.. /c rw - cgroup2 cgroup rw\n"), []byte("5 100000"))
	f.Fuzz(func(t *testing.T, cgroup, mountinfo, value []byte) {
		for _, v := range []int64{parseLimit(value), parseCount(value), parseKeyed(value, "max")} {
			if v < NotKnown {
				t.Errorf("%q gave %d", value, v)
			}
		}
		parseCPUMax(value)
		paths, err := parseCgroup(cgroup)
		if err != nil {
			return
		}
		mounts, err := parseMountinfo(mountinfo)
		if err != nil {
			return
		}
		version, dirs, where := cgroupDirs(paths, mounts)
		if version < 0 || version > 2 {
			t.Errorf("version %d", version)
		}
		readCgroup(fstest.MapFS{}, version, where, dirs)
	})
}
