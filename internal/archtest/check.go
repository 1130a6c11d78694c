package archtest

import (
	"cmp"
	"fmt"
	"go/ast"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Finding is one broken rule.
type Finding struct {
	Where string // a folder, or file:line
	What  string // the rule, with its reason
}

func (f Finding) String() string { return f.Where + ": " + f.What }

// findings collects what the rules say, each check adding its own.
type findings []Finding

func (f *findings) add(where, format string, args ...any) {
	*f = append(*f, Finding{where, fmt.Sprintf(format, args...)})
}

func at(file *File, line int) string { return fmt.Sprintf("%s:%d", file.Name, line) }

// Check holds the tree to the tables of this package and returns what it
// found, none when all is well.
func Check(t *Tree) []Finding {
	var found findings
	for _, name := range t.Top {
		if !slices.Contains(Top, name) {
			found.add(name, "nothing stands at the top of the tree but the six rooms and what tools expect there")
		}
	}
	for _, p := range t.sorted() {
		checkComment(&found, p)
		checkName(&found, p)
		checkFloor(&found, p)
		for _, file := range p.Files {
			checkFences(&found, p, file)
			checkStrangers(&found, p, file)
			checkNames(&found, t, p, file)
		}
	}
	for _, link := range Links {
		checkLink(&found, t, link)
	}
	for _, name := range slices.Sorted(maps.Keys(t.Lua)) {
		checkLua(&found, name, t.Lua[name])
	}
	return found
}

// checkComment wants each folder to say what it is, where godoc looks for it.
// A folder of tests alone says it in one of them.
func checkComment(found *findings, p *Package) {
	onlyTests := !slices.ContainsFunc(p.Files, func(f *File) bool { return !f.Test })
	for _, f := range p.Files {
		if f.Syntax.Doc == nil || f.Test && !onlyTests {
			continue
		}
		text := f.Syntax.Doc.Text()
		name := f.Syntax.Name.Name
		if name == "main" && strings.HasPrefix(text, "Command "+path.Base(p.Folder)+" ") ||
			name != "main" && strings.HasPrefix(text, "Package "+name+" ") {
			return
		}
	}
	found.add(p.Folder, `no package comment ("Package %s …", or "Command …" before main): a folder says what it is, and why it is that way`, p.name())
}

func checkName(found *findings, p *Package) {
	for _, name := range []string{path.Base(p.Folder), p.name()} {
		for _, bad := range Meaningless {
			if strings.HasSuffix(name, bad) {
				found.add(p.Folder, "the name %q says where code was put, not what it is: name the idea, or put it where it is used", name)
				return
			}
		}
	}
}

func floorOf(folder string) (Floor, bool) {
	for _, f := range Floors {
		if matchAny(f.Folders, folder) {
			return f, true
		}
	}
	return Floor{}, false
}

// room is the room that a folder belongs to, "" in the cellar and in cmd.
func room(folder string) string {
	first, _, _ := strings.Cut(folder, "/")
	if slices.Contains(Rooms, first) {
		return first
	}
	return ""
}

// checkFloor looks at production files. A test may see higher floors, as
// bank/banktest is made for.
func checkFloor(found *findings, p *Package) {
	own, ok := floorOf(p.Folder)
	if !ok {
		found.add(p.Folder, "this folder has no floor yet: give it one in internal/archtest/rules.go, and say in CONTRIBUTING.md if it is a new kind of thing")
		return
	}
	for _, file := range p.Files {
		if file.Test {
			continue
		}
		for _, imp := range file.Imports {
			if why := own.refuses(p.Folder, imp.Path); why != "" {
				found.add(at(file, imp.Line), "%s must not import %s: %s", p.Folder, imp.Path, why)
			}
		}
	}
}

// refuses is why a folder on this floor must not import a path, "" when it may.
func (f Floor) refuses(from, importPath string) string {
	to, ours := folder(importPath)
	if !ours {
		return f.refusesLibrary(from, importPath)
	}
	target, known := floorOf(to)
	if !known {
		return "" // reported where that folder is looked at
	}
	switch {
	case target.Height > f.Height:
		return fmt.Sprintf("imports point down, and this one goes from floor %d up to %d", f.Height, target.Height)
	case f.Kind == Ground && target.Kind != Ground:
		return "the ground floor stands on the standard library and on itself"
	case f.Kind == Root && target.Kind != Ground && (target.Kind != Root || target.Height >= f.Height):
		return "the root of a room is vocabulary: the standard library, the ground floor and lower rooms"
	case f.Kind == StandIn && target.Kind != Ground && !slices.Contains(SharedByStandIns, to) && !withinPackage(from, to):
		return "a stand-in takes nothing from the tree but the ground floor and what the stand-ins share"
	case f.Kind == Outward && target.Kind != Ground && target.Kind != Outward:
		return "whoever imports it would link a part of the server"
	case f.Kind == Technology && room(to) != "" && room(to) != room(from) && to != room(to):
		return "no room looks into a neighbour's subfolder: declare a port, and let internal/program join the two"
	}
	return ""
}

// withinPackage tells whether two folders are parts of one stand-in.
func withinPackage(a, b string) bool {
	standIn := func(s string) string {
		parts := strings.SplitN(s, "/", 3)
		return path.Join(parts[:min(2, len(parts))]...)
	}
	return standIn(a) == standIn(b)
}

// refusesLibrary holds values, vocabulary and what is for outside to the
// standard library. A driver whose fence names the root itself is meant to be
// there.
func (f Floor) refusesLibrary(from, importPath string) string {
	switch {
	case standard(importPath):
		return ""
	case f.Kind == Outward:
		for _, root := range BesideOutward {
			if within(importPath, root) {
				return ""
			}
		}
		return "whoever imports it has to take this library along: it is written in the standard library"
	case f.Kind != Ground && f.Kind != Root:
		return ""
	}
	for _, root := range BesideStandard {
		if within(importPath, root) {
			return ""
		}
	}
	for _, d := range Drivers {
		if within(importPath, d.Import) && slices.Contains(d.Only, from) {
			return ""
		}
	}
	return "values and vocabulary are written in the standard library alone"
}

// fence returns the first row of Drivers and Doors that speaks of an import:
// the rows stand from the narrower path to the wider.
func fence(importPath string) (Fence, bool) {
	for _, f := range slices.Concat(Drivers, Doors) {
		if within(importPath, f.Import) {
			return f, true
		}
	}
	return Fence{}, false
}

func checkFences(found *findings, p *Package, file *File) {
	for _, imp := range file.Imports {
		f, fenced := fence(imp.Path)
		if !fenced || file.Test && !f.Tests || matchAny(f.Only, p.Folder) {
			continue
		}
		found.add(at(file, imp.Line), "%s is for %s: %s", imp.Path, cmp.Or(strings.Join(f.Only, ", "), "nobody"), f.Reason)
	}
}

func checkStrangers(found *findings, p *Package, file *File) {
	for _, imp := range file.Imports {
		to, ours := folder(imp.Path)
		for _, s := range Strangers {
			if ours && matchAny(s.From, p.Folder) && matchAny(s.To, to) {
				found.add(at(file, imp.Line), "%s must not import %s, in a test neither: %s", p.Folder, to, s.Reason)
			}
		}
	}
}

// checkNames looks for written names: package.Name where the file's imports
// say which package that is, and any use of a name that belongs to nobody.
func checkNames(found *findings, t *Tree, p *Package, file *File) {
	ast.Inspect(file.Syntax, func(n ast.Node) bool {
		var importPath, name string
		switch n := n.(type) {
		case *ast.SelectorExpr:
			name = n.Sel.Name
			if x, ok := n.X.(*ast.Ident); ok {
				importPath = file.imported(x.Name)
			}
		case *ast.Ident:
			name = n.Name
		default:
			return true
		}
		for _, rule := range Names {
			_, isIdent := n.(*ast.Ident)
			if rule.Name != name || rule.Import != importPath || (rule.Import == "") != isIdent ||
				file.Test && !rule.Tests || matchAny(rule.Only, p.Folder) {
				continue
			}
			found.add(at(file, t.line(n)), "%s is not for this folder: %s", name, rule.Reason)
		}
		return true
	})
}

// imported is the path of the import that a file calls by a name.
func (f *File) imported(as string) string {
	for _, imp := range f.Imports {
		if imp.As == as {
			return imp.Path
		}
	}
	return ""
}

// checkLink walks from a binary through all that it imports, nearest first, and
// tells the way to what must not be there.
func checkLink(found *findings, t *Tree, link Link) {
	cameFrom := map[string]string{link.Binary: ""}
	for queue := []string{link.Binary}; len(queue) > 0; queue = queue[1:] {
		here := queue[0]
		if matchAny(link.Never, here) {
			way := here
			for from := cameFrom[here]; from != ""; from = cameFrom[from] {
				way = from + " → " + way
			}
			found.add(link.Binary, "it must not link %s (%s): %s", here, way, link.Reason)
			continue
		}
		p := t.Packages[here]
		if p == nil {
			continue // not ours
		}
		for _, file := range p.Files {
			for _, imp := range file.Imports {
				next := imp.Path
				if to, ours := folder(next); ours {
					next = to
				}
				if _, seen := cameFrom[next]; !seen && !file.Test {
					cameFrom[next] = here
					queue = append(queue, next)
				}
			}
		}
	}
}

var luaPcall = regexp.MustCompile(`\bx?pcall\b`)

// checkLua refuses protected calls: a script in which a command failed and
// which goes on has half of its step done, and tells nobody.
func checkLua(found *findings, name, text string) {
	for i, line := range strings.Split(text, "\n") {
		code, _, _ := strings.Cut(line, "--")
		if luaPcall.MatchString(code) {
			found.add(fmt.Sprintf("%s:%d", name, i+1), "a protected call goes on after a failed command, with half of the step done: use redis.call")
		}
	}
}
