// Package config is the two files that decide what a gateway does: its configuration, which its engineers write and which
// it is started with, and the profile that the configuration names, which is the bank's business people's and may change
// while it serves ([InForce]).
//
// [Config] and [Profile] are the manuals: every key, with its unit, its default and its range, is a field with a comment.
// From those comments configs/gateway.example.yaml and configs/profile.example.yaml are made, and a test fails when they
// differ.
//
// # Where a value comes from
//
// Of a profile, from its file or from its defaults ([DefaultProfile]), and from nowhere else. Of a configuration, first the
// defaults ([Default]), then the YAML file, then the environment. A key is overridden by the variable
// ISTIRDAD_ and its path in capitals: listen.channel by ISTIRDAD_LISTEN_CHANNEL. Lists are separated by commas there
// ("2026-03-20,2026-03-21"), pairs are written id:value. Both places are read strictly: a key that doesn't exist, a key
// that is said twice, a value of the wrong type and a variable that overrides nothing are errors, because a limit that
// was misspelt is a limit that isn't there. (Kubernetes makes such variables by itself for a service called istirdad:
// set enableServiceLinks to false.)
//
// # Secrets
//
// A [Secret] is given as the key itself, or as the path of a file that holds it, under the key with _file at its end;
// one newline at the end of the file is not part of it. Nobody but its owner may be able to write such a file, and in
// production not everybody may be able to read it. A Secret prints, logs and marshals masked. No error repeats a value,
// secret or not: a password is easily pasted one line too high.
//
// A relative path, of a secret or of anything else, starts at the folder of the configuration file. Each file is read
// once, by [Load]; what is made of the configuration later works with what was found good then.
//
// # What is refused
//
// [Load] refuses what is half configured, and tells everything that is wrong at once. What environment: production asks
// for on top of that stands in production.go, one line per rule.
package config
