package kernel

import (
	"io/fs"
	"maps"
	"strings"
	"testing/fstest"
)

// The fixtures are what a hardened container's files look like on the host,
// shortened; hex is its ID.
var hex = strings.Repeat("0123456789abcdef", 4)

const fixtureStatus = `Name:	sh ) x\nNoNewPrivs:	0
Umask:	0022
State:	S (sleeping)
Tgid:	4242
Uid:	1000	1000	1000	1000
Gid:	100	100	100	100
Groups:	100 2000
NSpid:	4242	1
CapInh:	0000000000000000
CapPrm:	0000000000000000
CapEff:	0000000000000000
CapBnd:	00000000a80425fb
CapAmb:	0000000000000000
NoNewPrivs:	1
Seccomp:	2
Seccomp_filters:	1
`

const fixtureStat = `4242 (sh ) x) S 1 4242 4242 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 2621440 200 18446744073709551615 0 0
`

const fixtureMountinfo = `700 600 0:50 / / ro,relatime master:7 shared:2 - overlay overlay rw,lowerdir=/a:/b
701 700 0:51 / /tmp rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs rw,size=2097152k,inode64
702 700 8:1 /src/a\040b /work\040space\011x rw,relatime - ext4 /dev/sda1 rw
703 700 0:52 / /stack rw - tmpfs lower rw
704 703 0:53 / /stack ro,noexec - tmpfs upper rw
705 700 0:54 / /hidden/inner rw - tmpfs inner rw
706 700 0:55 / /hidden rw - tmpfs over rw
707 700 0:56 / /empty rw - tmpfs  ro
`

const fixtureLimits = `Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max file size             unlimited            unlimited            bytes     
Max data size             unlimited            unlimited            bytes     
Max stack size            8388608              unlimited            bytes     
Max core file size        0                    0                    bytes     
Max resident set          unlimited            unlimited            bytes     
Max processes             15000                15001                processes 
Max open files            1024                 4096                 files     
Max locked memory         65536                65536                bytes     
Max address space         unlimited            unlimited            bytes     
Max file locks            unlimited            unlimited            locks     
Max pending signals       15000                15000                signals   
Max msgqueue size         819200               819200               bytes     
Max nice priority         0                    0                    
Max realtime priority     0                    0                    
Max realtime timeout      18446744073709551614 unlimited            us        
Max something new         7                    8                    widgets   
`

// fixtureProc is /proc with the fixtures, the container's cgroup file and our
// own mountinfo.
func fixtureProc(cgroup, mounts string) fstest.MapFS {
	return fstest.MapFS{
		"4242/status":       {Data: []byte(fixtureStatus)},
		"4242/stat":         {Data: []byte(fixtureStat)},
		"4242/mountinfo":    {Data: []byte(fixtureMountinfo)},
		"4242/limits":       {Data: []byte(fixtureLimits)},
		"4242/cgroup":       {Data: []byte(cgroup)},
		"4242/attr/current": {Data: []byte("docker-default (enforce)\n")},
		"4242/net/dev":      {Data: []byte("Inter-|   Receive\n face |bytes\n    lo:       0       0\n  eth0: 12 0\n")},
		"4242/ns/pid":       {Data: []byte("pid:[4026532000]"), Mode: fs.ModeSymlink | 0o777},
		"self/mountinfo":    {Data: []byte(mounts)},
	}
}

// files makes a file system below dir.
func files(dir string, content map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, data := range content {
		fsys[dir+"/"+name] = &fstest.MapFile{Data: []byte(data)}
	}
	return fsys
}

func merge(all ...fstest.MapFS) fstest.MapFS {
	out := fstest.MapFS{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}
