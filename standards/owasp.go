package standards

var owaspDocker = Standard{
	Name: "OWASP-Docker", Title: "OWASP Docker Security Cheat Sheet", Edition: "rules 0 to 13",
	Source: "https://cheatsheetseries.owasp.org/cheatsheets/Docker_Security_Cheat_Sheet.html",
	Controls: []Control{
		{ID: "0", Title: "Host and Docker are up to date", NotApplicable: "about the host; the report names the kernel and the engine, and judges neither's age"},
		{ID: "1", Title: "The engine's socket is not inside"},
		{ID: "2", Title: "A user that is not root"},
		{ID: "3", Title: "Capabilities are dropped"},
		{ID: "4", Title: "No privileges are gained inside"},
		{ID: "5", Title: "Containers do not reach one another"},
		{ID: "5a", Title: "Published ports pass by the host's firewall", Uncovered: noPorts},
		{ID: "6", Title: "System calls are filtered, and AppArmor or SELinux confines"},
		{ID: "7", Title: "Memory, CPU time, files and processes are limited"},
		{ID: "8", Title: "The root file system and volumes are read-only"},
		{ID: "9", Title: "Images are scanned in CI", NotApplicable: "about your pipeline; " + noCVE},
		{ID: "10", Title: "The daemon logs at level info", NotApplicable: ofTheEngine},
		{ID: "11", Title: "Docker runs rootless", NotApplicable: ofTheEngine},
		{ID: "12", Title: "Secrets come in as secrets"},
		{ID: "13", Title: "The supply chain is known: provenance, SBOM, signatures", NotApplicable: ofTheBuild},
	},
}
