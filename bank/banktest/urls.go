package banktest

// URLs are where a world answers, as `sandbox -print-json` prints them in one line; empty where nothing does. They are
// what a program under test is to be told.
type URLs struct {
	Gateway string `json:"gateway"` // the channel API
	Ops     string `json:"ops"`     // health, metrics, and the API of operators
	Core    string `json:"core"`    // the government refund core, and the government's own portal
	Bank    string `json:"bank"`    // the bank's systems, and its OpenID Connect issuer
	Control string `json:"control"` // behind the scenes: the phone at /phone/messages, faults, the referee
}
