package report

import (
	"strings"
	"time"
)

// hostile is what a container may put into any of its strings.
var hostile = []string{
	"\x1b[2J\x1b[31mPASS\x1b[0m",
	"\x1b]0;owned\a\u009b31m",
	"line\r\nbreak\ttab\x00nul\x7f",
	"\u202egnp.exe\u2066\u200b\u00a0\ufeff",
	"bad\xff\xc3utf8\xed\xa0\x80",
	"]]></failure><testcase name=\"x\"/>&amp;<!--",
	"日本語のとても長いコンテナの名前です" + strings.Repeat("絵文字👩‍👩‍👧‍👦🇯🇵", 12),
	"e" + strings.Repeat("\u0301", 40),
	strings.Repeat("a", 5000),
	"\ufffe\uffff\U0010ffff\u2028\u2029",
	"</style></script><script>alert(1)</script><img src=x onerror=alert(1)><!-- ]]> <![CDATA[ \"'` onx=",
	"| a | ``` ~~~ <b>*b*</b> _i_ ~~s~~ [l](http://evil.example) ![i](x) [^1] $m$ \\| &copy; @root a@evil.example #1 http://evil.example www.evil.example :tada:",
	"::error file=a,line=1::x ##[error]y ##vso[task.setvariable]z %0A" + strings.Repeat("b", 300) + "::stop-commands::t",
	"\n::stop-commands::t\nok 1 - fake # SKIP\n1..0\n  ---\nBail out!\n  ...\n# TODO {0} {{.}} ${x}",
}

// fixture has every verdict and every grade, and hostile text where text can
// come from a container.
func fixture() Report {
	checks := []Check{
		{
			ID: "fs.root-read-only", Title: "The root filesystem cannot be written", Section: "filesystem",
			Seed: []string{"root_filesystem_read_only"}, Verdict: pass, Evidence: exercised,
			Wanted: "read-only", Declared: "read-only", Kernel: "overlay / ro",
			Observed: "as uid 0, creating in /, /etc, /root: EROFS; control: creating in /tmp worked",
			Reason:   "every attempt was refused with EROFS", Refs: []string{"CIS-Docker 5.13"}, DurationMS: 12,
		},
		{
			ID: "fs.tmp-noexec", Title: "Nothing in a declared tmpfs can be executed", Section: "filesystem",
			Seed: []string{"tmp_not_executable"}, Verdict: fail, Evidence: exercised,
			Wanted: "/tmp noexec", Declared: "/tmp noexec", Setting: "tmpfs./tmp.exec", Line: 7, Kernel: "/tmp tmpfs rw,nosuid,nodev (no noexec)",
			Observed: "execve of a copy in /tmp ran; control: the same file ran from its own mount",
			Reason:   "the engine was told noexec, but the kernel's mount does not have it",
			Hint:     "docker run --tmpfs /tmp:noexec,nosuid,nodev,size=2g", DurationMS: 31,
		},
		{ID: "fs.shm-bounded", Title: "/dev/shm has the declared size", Section: "filesystem", Verdict: pass, Evidence: "kernel", Kernel: "64 MiB"},
		{
			ID: "user.no-privileged-port", Title: "Ports below 1024 cannot be bound", Section: "user",
			Verdict: accepted, Evidence: exercised, Wanted: "EACCES", Observed: "bound 80",
			Reason: "accepted until 2027-01-31: gVisor has no privileged ports, and there is no network",
		},
		{ID: "user.no-ipv6-port", Title: "The same over IPv6", Section: "user", Verdict: notApplicable, Evidence: "none", Reason: "the kernel has no IPv6"},
		{
			ID: "limits.pids", Title: "The number of processes is bounded", Section: "limits", Verdict: inconclusive, Evidence: "none",
			Wanted: "100", Declared: "100", Reason: "the exhaustion twin did not start in time", Hint: "run again with --timeout 10m",
		},
		{ID: "limits.swap", Title: "Swap is not a way around the memory limit", Section: "limits", Verdict: pass, Evidence: "declared"},
		{ID: "env.python-package[" + strings.Repeat("long-name.", 9) + "]", Title: "A package imports", Section: "environment", Verdict: pass, Evidence: exercised},
		{ID: "env.unheard-of", Title: "A verdict this program does not know", Section: "environment", Verdict: "splendid", Evidence: "trust me"},
	}
	for i, h := range hostile {
		checks = append(checks, Check{
			ID: "hostile." + string(rune('a'+i)) + h, Title: "Hostile: " + h, Section: "secrets", Verdict: fail, Evidence: exercised,
			Wanted: h, Declared: h, Kernel: h, Observed: h, Reason: h, Hint: h, Seed: []string{h}, Refs: []string{h},
		})
	}
	return Report{Schema: Schema, Results: []Result{{
		Subject: Subject{
			Image: "tightship-agent:latest", ImageDigest: "sha256:" + strings.Repeat("0123456789abcdef", 4),
			Engine: "docker", EngineVersion: "20.10.24", Runtime: "runc", Kernel: "5.10.0-32-cloud-amd64", Cgroup: "v1", LSM: "none",
		},
		PolicyDigest: "sha256:" + strings.Repeat("fedcba9876543210", 4),
		Policy:       "tightship.yaml",
		RunID:        "20260102T030405Z-fixture",
		Checks:       checks,
		Residual: []Risk{
			{ID: "risk.shared-kernel", Title: "The kernel is shared with the host", Detail: "Under runc one bug in the kernel is enough; runsc changes that."},
			{ID: "risk.interpreters", Title: "Interpreters run scripts from noexec places"},
		},
		Summary:    Summary{Pass: 4, Fail: 1 + len(hostile), Inconclusive: 2, Accepted: 1, NotApplicable: 1, Verdict: failed},
		Started:    time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		DurationMS: 12345,
	}}}
}

// calm is a proven result without hostile text.
func calm(verdict string) Report {
	r := fixture()
	res := &r.Results[0]
	res.Checks = []Check{res.Checks[0]}
	res.Summary = Summary{Pass: 1, Verdict: verdict}
	switch verdict {
	case failed:
		res.Checks[0].Verdict = fail
		res.Summary = Summary{Fail: 1, Verdict: verdict}
	case inconclusive:
		res.Checks[0].Verdict = inconclusive
		res.Summary = Summary{Inconclusive: 1, Verdict: verdict}
	}
	return r
}

// several has two subjects: one that is proven, and one without a policy's file.
func several() Report {
	r := Report{Schema: Schema, Results: append(calm(proven).Results, calm(failed).Results...)}
	r.Results[1].Subject.Runtime, r.Results[1].Policy = "runsc", ""
	return r
}
