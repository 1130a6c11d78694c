// Package archtest holds the tree to its own rules: which folder may import
// which, who may speak to which driver, what every folder must explain.
//
// The rules are the tables of rules.go, each row with the reason that a failing
// test will print; the page that they come from is the list of floors in
// CONTRIBUTING.md. A folder that no row knows is refused, so that a new one is
// given its place on purpose. The same fences for drivers stand in
// .golangci.yml, where an editor shows them while one types; a test here fails
// when the two lists differ.
//
// Nothing is asked of the go command. [Load] parses every .go file in the
// test's own process, because `go test` decides whether it may answer from its
// cache by the files that the test process opened: a test that shells out to
// `go list` goes on passing, from the cache, after somebody broke a rule.
// Build constraints are not looked at, so that a file for another system or
// with a tag obeys too.
//
// What is checked, in the order of [Check]:
//
//   - the top of the tree holds only what it is allowed to
//   - every folder has a floor and a package comment, and a name that says something
//   - imports point at the same floor or down; the root of a room imports only
//     the standard library, the ground floor and lower rooms; no room looks into
//     a neighbour's subfolder
//   - fences around drivers and packages, between the core's client and its
//     stand-in, and around names that nobody should write
//   - what a production binary must not link, however long the way to it
//   - Lua scripts stop at an error
package archtest
