package standards

const (
	ofWindows  = "about Windows"
	ofACluster = "about a cluster, of which Tightship reaches nothing"
)

// The identifiers are those of the checks in k8s.io/pod-security-admission v0.37,
// which enforces the standards.
var podSecurity = Standard{
	Name: "PSS", Title: "Kubernetes Pod Security Standards, restricted", Edition: "as of Kubernetes 1.37",
	Source: "https://kubernetes.io/docs/concepts/security/pod-security-standards/",
	Note: "The standard has no numbers. The identifiers are those of the checks that Kubernetes enforces it with " +
		"(the module k8s.io/pod-security-admission). Restricted builds on baseline, so both are listed.",
	Controls: []Control{
		{ID: "windowsHostProcess", Title: "Baseline: no HostProcess pods", NotApplicable: ofWindows},
		{ID: "hostNamespaces", Title: "Baseline: no namespace of the host"},
		{ID: "privileged", Title: "Baseline: not privileged"},
		{ID: "capabilities_baseline", Title: "Baseline: no capability beyond the usual ones"},
		{ID: "hostPathVolumes", Title: "Baseline: no directory of the host"},
		{ID: "hostPorts", Title: "Baseline: no port of the host", Uncovered: noPorts},
		{ID: "hostProbesAndHostLifecycle", Title: "Baseline: probes and hooks reach no other host", NotApplicable: "a container has no probes; a pod has"},
		{ID: "appArmorProfile", Title: "Baseline: an AppArmor profile"},
		{ID: "seLinuxOptions", Title: "Baseline: a SELinux type for containers"},
		{ID: "procMount", Title: "Baseline: /proc is masked"},
		{ID: "seccompProfile_baseline", Title: "Baseline: the system call filter is not off"},
		{ID: "sysctls", Title: "Baseline: only sysctls that are safe", Uncovered: "which sysctls a container sets is not judged, but for the one about ports"},
		{ID: "restrictedVolumes", Title: "Restricted: only these types of volume", NotApplicable: "the types of volume are Kubernetes's; what is mounted from the host is hostPathVolumes"},
		{ID: "allowPrivilegeEscalation", Title: "Restricted: no privileges are gained by executing a file"},
		{ID: "runAsNonRoot", Title: "Restricted: not root"},
		{ID: "runAsUser", Title: "Restricted: the uid is not 0"},
		{ID: "seccompProfile_restricted", Title: "Restricted: system calls are filtered"},
		{ID: "capabilities_restricted", Title: "Restricted: all capabilities are dropped"},
		{ID: "procMount_restricted", Title: "Restricted: /proc is masked, in user namespaces too"},
	},
}

var nsaCISA = Standard{
	Name: "NSA-CISA", Title: "NSA/CISA Kubernetes Hardening Guidance", Edition: "as numbered in Trivy's k8s-nsa-1.0",
	Source: "https://www.nsa.gov/Press-Room/News-Highlights/Article/Article/2716980/nsa-cisa-release-kubernetes-hardening-guidance/",
	Note: "The guidance has no numbers. They are those of Trivy's compliance report `k8s-nsa-1.0`, which splits it into " +
		"controls. A container is tested for what the control is to bring about in it; whether a cluster demands that of " +
		"every pod is not.",
	Controls: []Control{
		{ID: "1.0", Title: "Not root"},
		{ID: "1.1", Title: "The root file system is read-only"},
		{ID: "1.2", Title: "Not privileged"},
		{ID: "1.3", Title: "The host's IPC namespace is not shared"},
		{ID: "1.4", Title: "The host's PID namespace is not shared"},
		{ID: "1.5", Title: "The host's network is not shared"},
		{ID: "1.6", Title: "Neither root nor in a group of root's"},
		{ID: "1.7", Title: "No way up to root"},
		{ID: "1.8", Title: "A SELinux label"},
		{ID: "1.9", Title: "An AppArmor profile"},
		{ID: "1.10", Title: "System calls are filtered"},
		{ID: "1.11", Title: "No service account token that is not needed"},
		{ID: "1.12", Title: "Nobody works in the namespace kube-system", NotApplicable: ofACluster},
		{ID: "2.0", Title: "Network policies select pods", NotApplicable: ofACluster},
		{ID: "3.0", Title: "The network plugin supports network policies", NotApplicable: ofACluster},
		{ID: "4.0", Title: "Memory and processes are limited (ResourceQuota)"},
		{ID: "4.1", Title: "CPU time is limited (LimitRange)"},
		{ID: "5.0", Title: "The control plane has no insecure port", NotApplicable: ofACluster},
		{ID: "5.1", Title: "Traffic of etcd is encrypted", NotApplicable: ofACluster},
		{ID: "6.0", Title: "kubeconfig files are private", NotApplicable: ofACluster},
		{ID: "6.1", Title: "Secrets are encrypted at rest", NotApplicable: ofACluster},
		{ID: "6.2", Title: "An encryption provider is set", NotApplicable: ofACluster},
		{ID: "7.0", Title: "No anonymous requests", NotApplicable: ofACluster},
		{ID: "7.1", Title: "RBAC decides who may what", NotApplicable: ofACluster},
		{ID: "8.0", Title: "An audit policy is set", NotApplicable: ofACluster},
		{ID: "8.1", Title: "The audit log has a path", NotApplicable: ofACluster},
		{ID: "8.2", Title: "The audit log is kept for some time", NotApplicable: ofACluster},
	},
}
