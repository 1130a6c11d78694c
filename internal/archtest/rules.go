package archtest

// Patterns in these tables name folders relative to the top of the tree.
// "gateway" is that folder alone, "gateway/..." is it and all below, a "*" or
// "?" matches within one element, as in [path.Match].

// Module is the import path of the tree.
const Module = "github.com/istirdad/istirdad"

// Kind says what a folder is, which decides what it may import beside the rule
// of the floors.
type Kind string

const (
	// Ground is a package of values. It imports the standard library and other
	// values, so that everything may stand on it.
	Ground Kind = "ground"
	// Machinery has no opinion about refunds. It may use libraries.
	Machinery Kind = "machinery"
	// Root is the vocabulary of a room: the standard library, the ground floor
	// and the roots of rooms on lower floors. Its tests may use libraries.
	Root Kind = "root"
	// Technology speaks to one neighbour or carries one thing out. It never
	// looks into another room's subfolder: what it needs from there comes
	// through a port.
	Technology Kind = "technology"
	// StandIn plays a neighbour in the sandbox, written from the protocol page
	// alone. It imports the ground floor and what the stand-ins share.
	StandIn Kind = "stand-in"
	// Outward is for programs outside of the tree, which get all of it with one
	// import: values, its own parts, and what its generated part needs.
	Outward Kind = "outward"
	// Assembly puts the parts together and may see everything below it.
	Assembly Kind = "assembly"
)

// Floor gives the folders that match one of its patterns their height. A
// package imports only the same floor or lower ones.
type Floor struct {
	Height  int
	Kind    Kind
	Folders []string
}

// Floors is read from the top; the first row with a matching pattern counts.
var Floors = []Floor{
	{0, Ground, []string{"internal/money", "internal/saudi", "internal/moi", "internal/seal"}},
	{0, Machinery, []string{"internal/telemetry", "internal/reqlog", "internal/outbound", "internal/outbound/outboundtest", "internal/faultnet",
		"internal/child", "internal/pgtest", "internal/redistest", "internal/oidctest", "internal/archtest"}},
	{1, Root, []string{"gateway", "otp"}},
	{2, Root, []string{"bank"}},
	{3, Technology, []string{"gateway/dispatch"}},
	{6, Assembly, []string{"bank/banktest", "gateway/api/apitest", "internal/sandbox/...", "internal/fleet", "cmd/...", "configs"}},
	{5, Assembly, []string{"internal/config", "internal/program"}},
	{4, StandIn, []string{"internal/sandbox?*/..."}},
	{4, Outward, []string{"gateway/client/..."}},
	{4, Technology, []string{"gateway/...", "otp/...", "bank/...", "internal/ops"}},
}

// Rooms are the folders whose root is vocabulary and whose subfolders are
// private to the room and to the assembly above it.
var Rooms = []string{"gateway", "otp", "bank"}

// BesideStandard is what values and vocabulary may import beside the standard
// library: what Unicode and the languages ask for, by the same authors, and
// the making of ids.
var BesideStandard = []string{"golang.org/x/text", "github.com/google/uuid"}

// BesideOutward is what the same is for programs outside: the library that
// oapi-codegen's code is written against.
var BesideOutward = []string{"github.com/oapi-codegen/runtime"}

// SharedByStandIns are the stand-ins' own ground: the people and payments of
// the sandbox, the faults that a test may ask for, and how JSON is read.
var SharedByStandIns = []string{"internal/sandboxseed", "internal/sandboxfault", "internal/sandboxjson"}

// Fence keeps an import (a module, a package of the standard library, or with
// the prefix of [Module] a folder of this tree), and all packages below it,
// inside the folders of Only.
type Fence struct {
	Import string
	Only   []string // none: nobody may
	Tests  bool     // _test.go files elsewhere are held to it too
	Reason string
}

// Drivers are the libraries behind which somebody else's system or clock
// stands. Each is known to one place, so that there is one place to read, to
// replace and to suspect. .golangci.yml repeats this table.
var Drivers = []Fence{
	{"github.com/jackc/pgx/v5/stdlib", nil, true,
		"database/sql hides whether a COMMIT was answered; that unknown must stay visible"},
	{"github.com/jackc/pgx", []string{"gateway/postgres/..."}, true,
		"SQL and its errors end at the durable store"},
	{"modernc.org/sqlite", []string{"gateway/sqlite/..."}, true,
		"SQL and its errors end at the embedded store"},
	{"github.com/redis/go-redis", []string{"otp/redisstore/...", "bank/redissession/..."}, true,
		"its options decide whether a command is sent twice; otp/redisstore makes the client for everybody"},
	{"github.com/sony/gobreaker", []string{"gateway/refundcore/..."}, true,
		"one breaker per kind of call to the core; around anything else it turns a slow answer into a lost one"},
	{"github.com/gin-gonic/gin", []string{"gateway/api/...", "internal/reqlog"}, true,
		"the web framework ends at the handlers"},
	{"github.com/pquerna/otp", []string{"otp"}, true,
		"an empty secret makes it answer one constant code without an error; the caller that knows is otp"},
}

// Doors are the packages of this tree that only some may open.
var Doors = []Fence{
	{Module + "/internal/sandbox", []string{"internal/sandbox/...", "cmd/sandbox", "bank/banktest"}, false,
		"the world on one machine is for cmd/sandbox and for tests"},
	{Module + "/internal/sandboxcore", standInDoor, false, standInReason},
	{Module + "/internal/sandboxbank", standInDoor, false, standInReason},
	{Module + "/internal/sandboxportal", standInDoor, false, standInReason},
	{Module + "/internal/sandboxphone", standInDoor, false, standInReason},
	{Module + "/internal/sandboxseed", standInDoor, false, standInReason},
	{Module + "/internal/sandboxfault", standInDoor, false, standInReason},
	{Module + "/internal/sandboxjson", standInDoor, false, standInReason},
	{"math/rand", []string{"internal/sandbox*/...", "internal/fleet", "gateway/dispatch", "gateway/refundcore", "gateway/client"}, false,
		"whatever is drawn here must not be guessed by an outsider; use crypto/rand (dispatch, refundcore and client only spread load with it)"},
}

var (
	standInDoor   = []string{"internal/sandbox*/..."}
	standInReason = "what production code takes from a stand-in is no longer tested by it"
)

// Stranger is a pair of folders of which the first never imports the second,
// in its tests neither.
type Stranger struct {
	From, To []string
	Reason   string
}

// Strangers are the imports that would let one misreading of a protocol hide
// on both of its sides.
var Strangers = []Stranger{
	{[]string{"internal/sandboxcore/..."}, []string{"gateway/refundcore/..."},
		"the stand-in is written from the page of the core's protocol, never from our client of it"},
	{[]string{"gateway/refundcore/..."}, []string{"internal/sandboxcore/..."},
		"the client is written from the page of the core's protocol, never from the stand-in; internal/sandbox tests the two together"},
	{[]string{"internal/sandbox?*/..."}, []string{"gateway/...", "bank/...", "otp/..."},
		"a stand-in that shares code with the gateway shares its mistakes"},
}

// Link is what a binary must not contain, however many imports away. Never
// holds folders of this tree and import paths of others.
type Link struct {
	Binary string
	Never  []string
	Reason string
}

// Links guard the production binary.
var Links = []Link{
	{"cmd/gateway", []string{"internal/sandbox/...", "internal/sandbox?*/...", "bank/banktest",
		"gateway/storetest", "otp/otptest", "internal/faultnet", "internal/child", "internal/pgtest", "internal/redistest", "internal/oidctest",
		"internal/fleet", "internal/outbound/outboundtest", "gateway/api/apitest",
		"github.com/alicebob/miniredis/...", "testing"},
		"a production binary that holds a fake can be configured to use it"},
}

// Name is an identifier that is written only in the folders of Only.
type Name struct {
	Import string // the package that it belongs to; "": whatever it belongs to
	Name   string
	Only   []string
	Tests  bool // _test.go files are held to it too
	Reason string
}

// Names are the calls that compile everywhere and are right almost nowhere.
var Names = []Name{
	{"net/http", "DefaultClient", nil, false, noDeadline},
	{"net/http", "Get", nil, false, noDeadline},
	{"net/http", "Head", nil, false, noDeadline},
	{"net/http", "Post", nil, false, noDeadline},
	{"net/http", "PostForm", nil, false, noDeadline},
	{"net/http", "Transport", []string{"internal/outbound", "internal/sandbox*/...", "bank/banktest"}, false,
		"left to itself it repeats requests and asks the environment for a proxy; take internal/outbound"},
	{Module + "/bank/banktest", "Start", []string{"gateway/api/apitest", "bank/banktest/..."}, true,
		"apitest.Start is the same world, and holds every answer of it to the contract"},
	{"net/http", "ListenAndServe", nil, true, "it serves without a time limit; make an http.Server"},
	{"net/http", "DefaultServeMux", nil, true, "any package can add a page to it"},
	{"", "SafeToRetry", nil, true, "pgx calls a lost COMMIT safe in cases where it may have happened"},
	{"github.com/gin-gonic/gin", "Context", []string{"gateway/api/...", "internal/reqlog"}, true, "below a handler a context is a context.Context and the caller is an argument"},
}

const noDeadline = "it has no deadline and follows redirects; make an http.Client that says both"

// Top is what may stand at the top of the tree: six rooms, and the files that
// tools expect there.
var Top = []string{
	"bank", "cmd", "configs", "gateway", "internal", "otp",
	"README.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "Dockerfile", "docker-compose.yml",
	"go.mod", "go.sum", ".ci", ".golangci.yml", ".gitignore", ".gitattributes", ".dockerignore", ".editorconfig",
	".git", ".bin", ".run", ".idea", ".vscode", // of one machine only; git knows none of them
}

// Meaningless are the package names that say where code was put, not what it
// is; also as the end of a name, as in "jsonutil".
var Meaningless = []string{"util", "utils", "common", "helper", "helpers", "model", "models", "misc"}
