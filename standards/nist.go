package standards

const (
	ofARegistry      = "about a registry"
	ofAnOrchestrator = "about an orchestrator"
	ofTheHost        = "about the host"
)

var nist800190 = Standard{
	Name: "NIST-800-190", Title: "NIST SP 800-190, section 4 (countermeasures)", Edition: "September 2017",
	Source: "https://doi.org/10.6028/NIST.SP.800-190",
	Controls: []Control{
		{ID: "4.1.1", Title: "Vulnerabilities in images", Uncovered: noCVE},
		{ID: "4.1.2", Title: "Defects in an image's configuration, such as its user"},
		{ID: "4.1.3", Title: "Malware in images", Uncovered: "Tightship looks for no malware"},
		{ID: "4.1.4", Title: "Secrets in clear text in images"},
		{ID: "4.1.5", Title: "Images of unknown origin", NotApplicable: ofTheBuild},
		{ID: "4.2.1", Title: "Unprotected connections to registries", NotApplicable: ofARegistry},
		{ID: "4.2.2", Title: "Old images in registries", NotApplicable: ofARegistry},
		{ID: "4.2.3", Title: "Who may use a registry", NotApplicable: ofARegistry},
		{ID: "4.3.1", Title: "Administrators with too much access", NotApplicable: ofAnOrchestrator},
		{ID: "4.3.2", Title: "Access that nobody gave", NotApplicable: ofAnOrchestrator},
		{ID: "4.3.3", Title: "Traffic between containers that belongs apart", NotApplicable: ofAnOrchestrator},
		{ID: "4.3.4", Title: "Workloads on one host that belong apart", NotApplicable: ofAnOrchestrator},
		{ID: "4.3.5", Title: "Trust in nodes", NotApplicable: ofAnOrchestrator},
		{ID: "4.4.1", Title: "Vulnerabilities in the runtime", NotApplicable: "about the host; the report names engine and runtime, and judges neither's age"},
		{ID: "4.4.2", Title: "A network without bounds"},
		{ID: "4.4.3", Title: "A runtime configuration that is not secure"},
		{ID: "4.4.4", Title: "Vulnerable programs inside: a read-only root file system"},
		{ID: "4.4.5", Title: "Containers that nobody planned", NotApplicable: ofAnOrchestrator},
		{ID: "4.5.1", Title: "A host that offers too much", NotApplicable: ofTheHost},
		{ID: "4.5.2", Title: "A kernel that is shared", NotApplicable: "about what else the host runs; the report lists the shared kernel among the residual risks"},
		{ID: "4.5.3", Title: "Vulnerable parts of the host", NotApplicable: ofTheHost},
		{ID: "4.5.4", Title: "People who log in to the host", NotApplicable: ofTheHost},
		{ID: "4.5.5", Title: "The host's files within reach"},
		{ID: "4.6", Title: "Trust rooted in hardware", NotApplicable: ofTheHost},
	},
}
