package standards

// What several controls have in common. Published ports, restart policies and
// health checks of a container show in a report as settings that no twin has; no
// check judges them.
const (
	ofTheEngine = "a setting of the engine, which is not what is verified"
	ofTheBuild  = "about how the image was built, of which the image keeps no trace that could be tested"
	ofTheUser   = "about what people type at the engine, which no container shows"
	noCVE       = "Tightship looks for no known vulnerabilities; Trivy, Grype and Docker Scout do"
	noPorts     = "which ports are published is not judged; under `network: none` none can be reached"
)

var cisDocker = Standard{
	Name: "CIS-Docker", Title: "CIS Docker Benchmark, sections 4 and 5", Edition: "v1.6.0",
	Source: "https://www.cisecurity.org/benchmark/docker",
	Note: "The other sections are about the host, the daemon, its files and swarm mode, which Tightship does not look at: " +
		"docker-bench-security does. The benchmark's text is not free, so the titles here are not its titles.",
	Controls: []Control{
		{ID: "4.1", Title: "The image's user is not root"},
		{ID: "4.2", Title: "Base images are from where you trust", NotApplicable: ofTheBuild},
		{ID: "4.3", Title: "No package that is not needed", Uncovered: "the policy says what must work inside, and nothing says what must not be there"},
		{ID: "4.4", Title: "Images are scanned, and built again for fixes", Uncovered: noCVE},
		{ID: "4.5", Title: "Only signed images are pulled", NotApplicable: "a setting of the docker command"},
		{ID: "4.6", Title: "The image has a health check", Uncovered: "a health check is about service, not isolation; twins run without it"},
		{ID: "4.7", Title: "No cached package lists in the Dockerfile", NotApplicable: ofTheBuild},
		{ID: "4.8", Title: "No setuid and setgid files that give anything"},
		{ID: "4.9", Title: "COPY, not ADD, in the Dockerfile", NotApplicable: ofTheBuild},
		{ID: "4.10", Title: "No secret in the Dockerfile"},
		{ID: "4.11", Title: "Packages are verified before they are installed", NotApplicable: ofTheBuild},
		{ID: "4.12", Title: "Signatures of artifacts are checked", NotApplicable: ofTheBuild},

		{ID: "5.1", Title: "Swarm mode is off unless needed", NotApplicable: ofTheEngine},
		{ID: "5.2", Title: "An AppArmor profile, where the host has AppArmor"},
		{ID: "5.3", Title: "A SELinux label, where the host has SELinux"},
		{ID: "5.4", Title: "Capabilities are dropped"},
		{ID: "5.5", Title: "Not privileged"},
		{ID: "5.6", Title: "No sensitive directory of the host inside"},
		{ID: "5.7", Title: "No SSH server inside", Uncovered: "nothing of the image's own is started in a twin, so a server that it would start is not seen"},
		{ID: "5.8", Title: "No ports below 1024"},
		{ID: "5.9", Title: "Only the ports that are needed", Uncovered: noPorts},
		{ID: "5.10", Title: "The host's network namespace is not shared"},
		{ID: "5.11", Title: "Memory is limited"},
		{ID: "5.12", Title: "CPU time is limited"},
		{ID: "5.13", Title: "The root file system is read-only"},
		{ID: "5.14", Title: "Published ports are bound to one interface", Uncovered: noPorts},
		{ID: "5.15", Title: "Restarts are bounded", Uncovered: "a restart policy is a container's and not its twin's; it is not judged"},
		{ID: "5.16", Title: "The host's PID namespace is not shared"},
		{ID: "5.17", Title: "The host's IPC namespace is not shared"},
		{ID: "5.18", Title: "No device of the host inside"},
		{ID: "5.19", Title: "Resource limits (ulimits) are set where needed"},
		{ID: "5.20", Title: "Mounts are not propagated"},
		{ID: "5.21", Title: "The host's UTS namespace is not shared"},
		{ID: "5.22", Title: "System calls are filtered"},
		{ID: "5.23", Title: "No `docker exec --privileged`", NotApplicable: ofTheUser},
		{ID: "5.24", Title: "No `docker exec --user root`", NotApplicable: ofTheUser},
		{ID: "5.25", Title: "The container is in the cgroup it should be in", Uncovered: "limits are read from the container's own cgroup, but where that lies is not judged"},
		{ID: "5.26", Title: "No privileges are gained by executing a file"},
		{ID: "5.27", Title: "Health is checked while it runs", Uncovered: "a health check is about service, not isolation; twins run without it"},
		{ID: "5.28", Title: "The newest image of a tag is used", NotApplicable: ofTheUser},
		{ID: "5.29", Title: "The number of processes is limited"},
		{ID: "5.30", Title: "Not on the default bridge"},
		{ID: "5.31", Title: "The host's user namespace is not shared", Uncovered: "Docker shares it unless the daemon remaps users; no check asks for that"},
		{ID: "5.32", Title: "The engine's socket is not inside"},
	},
}
