package configs_test

import (
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"

	"github.com/istirdad/istirdad/internal/config"
)

// compose is docker-compose.yml as docker compose understands it: held to the schema, with every name resolved.
func compose(t *testing.T) *types.Project {
	t.Helper()
	top, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  top,
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(top, "docker-compose.yml")}},
	}, func(o *loader.Options) { o.ResolvePaths = true })
	if err != nil {
		t.Fatal(err)
	}
	return project
}

var (
	gateways = []string{"gateway-1", "gateway-2"}
	oneShots = []string{"migrate", "secrets"}
)

func TestComposeHasTheWholeProduct(t *testing.T) {
	want := []string{
		"gateway-1", "gateway-2", "grafana", "migrate", "nginx", "postgres", "prometheus", "redis", "secrets", "standins",
	}
	if got := slices.Sorted(maps.Keys(compose(t).Services)); !slices.Equal(got, want) {
		t.Errorf("services %v, want %v", got, want)
	}
}

// TestComposeNamesResolve: the loader checks most of it; what it lets pass is checked here.
func TestComposeNamesResolve(t *testing.T) {
	project := compose(t)
	usedVolumes, usedNetworks := map[string]bool{}, map[string]bool{}
	for name, service := range project.Services {
		for other, how := range service.DependsOn {
			target, known := project.Services[other]
			switch {
			case !known:
				t.Errorf("%s depends on %s, which there isn't", name, other)
			case how.Condition == types.ServiceConditionHealthy && target.HealthCheck == nil:
				t.Errorf("%s waits for %s to be healthy, which nobody ever asks", name, other)
			case how.Condition == types.ServiceConditionCompletedSuccessfully && target.Restart != "no":
				t.Errorf("%s waits for the end of %s, which is started again", name, other)
			case slices.Contains(oneShots, other) && how.Condition != types.ServiceConditionCompletedSuccessfully:
				t.Errorf("%s doesn't wait for %s to be done", name, other)
			}
		}
		for network := range service.Networks {
			usedNetworks[network] = true
		}
		for _, volume := range service.Volumes {
			switch volume.Type {
			case types.VolumeTypeVolume:
				usedVolumes[volume.Source] = true
			case types.VolumeTypeBind:
				if _, err := os.Stat(volume.Source); err != nil {
					t.Errorf("%s mounts what isn't there: %v", name, err)
				}
				if !volume.ReadOnly {
					t.Errorf("%s may write to %s of this tree", name, volume.Source)
				}
			default:
				t.Errorf("%s has a mount of the type %s", name, volume.Type)
			}
		}
	}
	for _, volume := range project.VolumeNames() {
		if !usedVolumes[volume] {
			t.Errorf("nobody uses the volume %s", volume)
		}
	}
	for _, network := range project.NetworkNames() {
		if !usedNetworks[network] {
			t.Errorf("nobody is in the network %s", network)
		}
	}
}

// TestComposeHardening: no service can do more than it needs to.
func TestComposeHardening(t *testing.T) {
	for name, service := range compose(t).Services {
		t.Run(name, func(t *testing.T) {
			if !service.ReadOnly {
				t.Error("it may write to its own root")
			}
			if !slices.Equal(service.CapDrop, []string{"ALL"}) {
				t.Errorf("it drops %v, not all capabilities", service.CapDrop)
			}
			if !slices.Contains(service.SecurityOpt, "no-new-privileges:true") {
				t.Error("it may get new privileges")
			}
			if service.Privileged || service.Pid != "" || service.Ipc != "" {
				t.Error("it shares something with the machine")
			}
			if name == "secrets" { // gives files to their owners, once, without a network
				if service.NetworkMode != "none" || service.Restart != "no" {
					t.Error("who is root has no network, and ends")
				}
				return
			}
			if len(service.CapAdd) > 0 {
				t.Errorf("it gets the capabilities %v", service.CapAdd)
			}
			if user := regexp.MustCompile(`^[1-9]\d*:\d+$`); !user.MatchString(service.User) {
				t.Errorf("it runs as %q, which isn't the number of somebody unprivileged", service.User)
			}
			limits := service.Deploy
			if limits == nil || limits.Resources.Limits == nil || limits.Resources.Limits.MemoryBytes == 0 ||
				limits.Resources.Limits.NanoCPUs == 0 || limits.Resources.Limits.Pids == 0 {
				t.Error("its memory, processors and processes have no limit")
			}
			if name != "migrate" && service.Restart != types.RestartPolicyUnlessStopped {
				t.Errorf("it isn't started again after it fails: restart is %q", service.Restart)
			}
			if service.Logging == nil || service.Logging.Options["max-size"] == "" {
				t.Error("its log may fill the disk")
			}
		})
	}
}

func TestComposeGateways(t *testing.T) {
	project := compose(t)
	instances := map[string]bool{}
	for _, name := range gateways {
		service := project.Services[name]
		if grace := service.StopGracePeriod; grace == nil || time.Duration(*grace) < 25*time.Second {
			t.Errorf("%s: what it has begun may take 20 s to end, and it is killed before", name)
		}
		if len(service.Ports) > 0 {
			t.Errorf("%s is published beside nginx", name)
		}
		if got := slices.Sorted(maps.Keys(service.Networks)); !slices.Equal(got, []string{"back", "front"}) {
			t.Errorf("%s is in %v", name, got)
		}
		for _, needed := range []string{"migrate", "redis", "standins"} {
			if _, waits := service.DependsOn[needed]; !waits {
				t.Errorf("%s doesn't wait for %s", name, needed)
			}
		}
		instance := service.Environment["ISTIRDAD_TELEMETRY_INSTANCE"]
		if instance == nil || instances[*instance] {
			t.Errorf("%s has no name of its own in metrics", name)
		} else {
			instances[*instance] = true
		}
		if _, owner := mounts(service)["secrets-migrate"]; owner {
			t.Errorf("%s is given the owner's password of the database", name)
		}
	}
	if _, gateway := mounts(project.Services["migrate"])["secrets-gateway"]; gateway {
		t.Error("migrate is given the keys of customers' data, which it has no use for")
	}
	if !project.Networks["back"].Internal {
		t.Error("the database's network leads outside")
	}
}

// mounts are a service's volumes by what is mounted.
func mounts(s types.ServiceConfig) map[string]types.ServiceVolumeConfig {
	by := map[string]types.ServiceVolumeConfig{}
	for _, v := range s.Volumes {
		by[v.Source] = v
	}
	return by
}

// TestComposePublishes: on this machine alone, and of the product nothing but nginx.
func TestComposePublishes(t *testing.T) {
	want := map[string][]string{
		"nginx": {"8080:8080"}, "standins": {"8081:8081", "8082:8082", "8083:8083"}, "prometheus": {"9095:9090"}, "grafana": {"3000:3000"},
	}
	project := compose(t)
	for name, service := range project.Services {
		var got []string
		for _, port := range service.Ports {
			if ip := net.ParseIP(port.HostIP); !ip.IsLoopback() {
				t.Errorf("%s: port %s is open to the network (%q)", name, port.Published, port.HostIP)
			}
			got = append(got, port.Published+":"+strconv.FormatUint(uint64(port.Target), 10))
		}
		if !slices.Equal(got, want[name]) {
			t.Errorf("%s publishes %v, want %v", name, got, want[name])
		}
		if _, front := service.Networks["front"]; len(got) > 0 && !front {
			t.Errorf("%s publishes ports but is only in a network that leads nowhere", name)
		}
	}
}

func TestComposeImagesArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^[a-z][a-z/-]*:v?\d+\.\d+(\.\d+)?$`)
	for name, service := range compose(t).Services {
		switch {
		case service.Build != nil:
			if !strings.HasPrefix(service.Image, "istirdad/") || strings.HasSuffix(service.Image, ":latest") {
				t.Errorf("%s is built as %s", name, service.Image)
			}
			if target := strings.TrimSuffix(strings.TrimPrefix(service.Image, "istirdad/"), ":trial"); service.Build.Target != target {
				t.Errorf("%s: the image %s is built from the stage %s", name, service.Image, service.Build.Target)
			}
			if !slices.Contains(stageNames(t), service.Build.Target) {
				t.Errorf("%s is built from the stage %s, which Dockerfile doesn't have", name, service.Build.Target)
			}
		case !pinned.MatchString(service.Image):
			t.Errorf("%s: %s may be another program tomorrow", name, service.Image)
		}
	}
}

// TestComposeHoldsNoSecret: they are files that the service secrets makes, and each is mounted where it is read.
func TestComposeHoldsNoSecret(t *testing.T) {
	project := compose(t)
	secretName := regexp.MustCompile(`(?i)(password|secret|token|pepper|_url|_key)$`)
	for name, service := range project.Services {
		for variable, value := range service.Environment {
			if secretName.MatchString(variable) && value != nil {
				t.Errorf("%s: %s stands in the file, and in what docker inspect shows", name, variable)
			}
			if value == nil {
				t.Errorf("%s: %s comes from whoever types docker compose up", name, variable)
			}
		}
		for volume, mount := range mounts(service) {
			if strings.HasPrefix(volume, "secrets-") && name != "secrets" && (!mount.ReadOnly || mount.Target != "/run/secrets") {
				t.Errorf("%s mounts %s at %s, read-only %v", name, volume, mount.Target, mount.ReadOnly)
			}
		}
	}
}

// TestComposeSecretsAreMade runs the generator and looks up, for every service, each secret that it is told of.
func TestComposeSecretsAreMade(t *testing.T) {
	dir := generateSecrets(t, "DATABASE=postgres:5432", "REDIS=redis:6379")
	project := compose(t)
	told := regexp.MustCompile(`/run/secrets/(\w+(?:\.acl)?)`)
	for name, service := range project.Services {
		folder := ""
		for volume := range mounts(service) {
			if rest, ok := strings.CutPrefix(volume, "secrets-"); ok && name != "secrets" {
				folder = rest
			}
		}
		sources := slices.Clone([]string(service.Command))
		for _, value := range service.Environment {
			sources = append(sources, *value)
		}
		for _, mount := range service.Volumes { // a configuration tells too
			if mount.Type == types.VolumeTypeBind && name != "secrets" && name != "migrate" {
				sources = append(sources, textOf(t, mount.Source)...)
			}
		}
		if service.HealthCheck != nil {
			sources = append(sources, service.HealthCheck.Test...)
		}
		found := 0
		for _, source := range sources {
			for _, match := range told.FindAllStringSubmatch(source, -1) {
				found++
				if info, err := os.Stat(filepath.Join(dir, folder, match[1])); err != nil || info.Size() == 0 {
					t.Errorf("%s reads %s, which isn't made for it in %q", name, match[0], folder)
				}
			}
		}
		if folder != "" && found == 0 {
			t.Errorf("%s is given secrets and reads none", name)
		}
	}
}

// textOf is a file, or the files of a folder.
func textOf(t *testing.T, path string) []string {
	t.Helper()
	var texts []string
	err := filepath.WalkDir(path, func(p string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(p)
		texts = append(texts, string(text))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// TestComposeGatewayConfig: names that stand in two files are the same.
func TestComposeGatewayConfig(t *testing.T) {
	var config struct {
		Database struct{ Role string }
		Core     struct {
			URL               string
			CallbackAuthority string `yaml:"callback_authority"`
		}
		Bank struct{ URL, Issuer string }
		SMS  struct{ URL string }
	}
	if err := yaml.Unmarshal([]byte(textOf(t, "gateway.compose.yaml")[0]), &config); err != nil {
		t.Fatal(err)
	}
	standins := compose(t).Services["standins"]
	flag := func(name string) string {
		for _, argument := range standins.Command {
			if value, ok := strings.CutPrefix(argument, "-"+name+"="); ok {
				return value
			}
		}
		return ""
	}
	for what, pair := range map[string][2]string{
		"the core":   {config.Core.URL, "http://" + standins.Hostname + flag("core")},
		"the bank":   {config.Bank.URL, "http://" + standins.Hostname + flag("bank")},
		"the issuer": {config.Bank.Issuer, "http://" + standins.Hostname + flag("bank")},
		"the phone":  {config.SMS.URL, "http://" + standins.Hostname + flag("control") + "/phone/messages"},
		"callbacks":  {"http://" + config.Core.CallbackAuthority + "/core/callbacks", flag("callback")},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: the gateways say %s, docker-compose.yml says %s", what, pair[0], pair[1])
		}
	}
	if !strings.Contains(textOf(t, "postgres/init.sh")[0], "CREATE ROLE "+config.Database.Role+" ") {
		t.Errorf("nobody makes the role %q", config.Database.Role)
	}
}

// TestComposeConfigIsComplete reads the configuration as the containers do: with the secrets that are made for them, in
// the form that they are made in, and with the variables that they are given.
func TestComposeConfigIsComplete(t *testing.T) {
	project := compose(t)
	secrets := generateSecrets(t, "DATABASE=postgres:5432", "REDIS=redis:6379")
	load := func(name, folder string) (file string, environ []string) {
		t.Helper()
		here := func(text string) string {
			return strings.ReplaceAll(text, "/run/secrets/", filepath.Join(secrets, folder)+"/")
		}
		dir := t.TempDir()
		file = filepath.Join(dir, "gateway.yaml")
		for _, volume := range project.Services[name].Volumes {
			if folder, beside := strings.CutPrefix(volume.Target, "/etc/istirdad/"); beside && folder != "gateway.yaml" {
				if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(volume.Source)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := os.WriteFile(file, []byte(here(textOf(t, "gateway.compose.yaml")[0])), 0o600); err != nil {
			t.Fatal(err)
		}
		for variable, value := range project.Services[name].Environment {
			environ = append(environ, variable+"="+here(*value))
		}
		return file, environ
	}
	for _, name := range gateways {
		file, environ := load(name, "gateway")
		c, err := config.Load(file, environ)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if grace := time.Duration(*project.Services[name].StopGracePeriod); c.Shutdown >= grace {
			t.Errorf("%s may take %v to stop and is given %v", name, c.Shutdown, grace)
		}
		if c.Database.MigrateOnStart {
			t.Errorf("%s changes the schema, which its role can't", name)
		}
	}
	file, environ := load("migrate", "migrate")
	database, err := config.LoadDatabase(file, environ)
	if err != nil {
		t.Fatalf("migrate: %v", err)
	}
	if owner, err := url.Parse(string(database.OwnerURL())); err != nil || owner.User.Username() != "istirdad_owner" || database.Role == "" {
		t.Errorf("migrate signs in as %v and grants to %q", owner.User.Username(), database.Role)
	}
}
