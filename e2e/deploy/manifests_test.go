package deploy

import (
	"path"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// A serviceMonitor is what the chart uses of the Prometheus operator's type.
type serviceMonitor struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		JobLabel  string               `json:"jobLabel"`
		Selector  metav1.LabelSelector `json:"selector"`
		Endpoints []struct {
			Port     string `json:"port"`
			Path     string `json:"path"`
			Interval string `json:"interval"`
		} `json:"endpoints"`
	} `json:"spec"`
}

// A release is what the chart made, by kind.
type release struct {
	deployment appsv1.Deployment
	configs    []corev1.ConfigMap
	services   []corev1.Service
	accounts   []corev1.ServiceAccount
	budgets    []policyv1.PodDisruptionBudget
	policies   []networkingv1.NetworkPolicy
	ingresses  []networkingv1.Ingress
	monitors   []serviceMonitor
}

// decode reads the manifests as the API server does, and a field that it would
// not know is an error.
func decode(t *testing.T, documents []string) *release {
	t.Helper()
	r := &release{}
	deployments := 0
	for _, d := range documents {
		var meta metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(d), &meta); err != nil {
			t.Fatal(err)
		}
		switch meta.APIVersion + " " + meta.Kind {
		case "apps/v1 Deployment":
			strict(t, d, &r.deployment)
			deployments++
		case "v1 ConfigMap":
			r.configs = append(r.configs, *strict(t, d, &corev1.ConfigMap{}))
		case "v1 Service":
			r.services = append(r.services, *strict(t, d, &corev1.Service{}))
		case "v1 ServiceAccount":
			r.accounts = append(r.accounts, *strict(t, d, &corev1.ServiceAccount{}))
		case "policy/v1 PodDisruptionBudget":
			r.budgets = append(r.budgets, *strict(t, d, &policyv1.PodDisruptionBudget{}))
		case "networking.k8s.io/v1 NetworkPolicy":
			r.policies = append(r.policies, *strict(t, d, &networkingv1.NetworkPolicy{}))
		case "networking.k8s.io/v1 Ingress":
			r.ingresses = append(r.ingresses, *strict(t, d, &networkingv1.Ingress{}))
		case "monitoring.coreos.com/v1 ServiceMonitor":
			r.monitors = append(r.monitors, *strict(t, d, &serviceMonitor{}))
		default:
			t.Errorf("nobody looks at a %s %s", meta.APIVersion, meta.Kind)
		}
	}
	if deployments != 1 || len(r.configs) != 1 || len(r.accounts) != 1 {
		t.Fatalf("%d Deployments, %d ConfigMaps, %d ServiceAccounts; want one of each", deployments, len(r.configs), len(r.accounts))
	}
	return r
}

func strict[T any](t *testing.T, document string, into *T) *T {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(document), into); err != nil {
		t.Fatalf("%v in\n%s", err, document)
	}
	return into
}

func (r *release) pod() *corev1.PodSpec         { return &r.deployment.Spec.Template.Spec }
func (r *release) container() *corev1.Container { return &r.pod().Containers[0] }

// selects reports whether the selector takes Gatehouse's pods.
func (r *release) selects(t *testing.T, s *metav1.LabelSelector) bool {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		t.Fatal(err)
	}
	return !selector.Empty() && selector.Matches(labels.Set(r.deployment.Spec.Template.Labels))
}

// wantMounted wants the file in a volume that is mounted whole, for Kubernetes to
// renew it while the pod runs.
func (r *release) wantMounted(t *testing.T, file string) {
	t.Helper()
	for _, m := range r.container().VolumeMounts {
		if m.MountPath == path.Dir(file) && m.SubPath == "" && m.ReadOnly {
			for _, v := range r.pod().Volumes {
				if v.Name == m.Name {
					return
				}
			}
		}
	}
	t.Errorf("%s lies in no mounted volume", file)
}

// hasPort reports whether the container has the port that a Service, a probe or a
// policy names.
func (r *release) hasPort(p intstr.IntOrString) bool {
	for _, own := range r.container().Ports {
		if own.Name == p.StrVal || own.ContainerPort == p.IntVal {
			return true
		}
	}
	return false
}

func TestReleases(t *testing.T) {
	for _, tc := range []struct {
		name                                   string
		replicas                               int32
		strategy                               appsv1.DeploymentStrategyType
		budgets, policies, ingresses, monitors int
		grace                                  int64
	}{
		{"one", 1, appsv1.RecreateDeploymentStrategyType, 0, 1, 0, 0, 40},
		{"three", 3, appsv1.RollingUpdateDeploymentStrategyType, 1, 3, 1, 1, 135},
		{"open", 2, appsv1.RollingUpdateDeploymentStrategyType, 0, 0, 0, 0, 40},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := decode(t, documents(t, valuesOf(t, tc.name)))
			spec := r.deployment.Spec
			if *spec.Replicas != tc.replicas || spec.Strategy.Type != tc.strategy || *r.pod().TerminationGracePeriodSeconds != tc.grace {
				t.Errorf("%d replicas, %s, %d s to end", *spec.Replicas, spec.Strategy.Type, *r.pod().TerminationGracePeriodSeconds)
			}
			if len(r.budgets) != tc.budgets || len(r.policies) != tc.policies || len(r.ingresses) != tc.ingresses || len(r.monitors) != tc.monitors {
				t.Errorf("%d budgets, %d network policies, %d ingresses, %d monitors", len(r.budgets), len(r.policies), len(r.ingresses), len(r.monitors))
			}
			r.wantSelectors(t)
			r.wantProbes(t)
			r.wantConfined(t)
			r.wantMounted(t, "/etc/gatehouse/gatehouse.yaml")
		})
	}
}

func (r *release) wantSelectors(t *testing.T) {
	t.Helper()
	if !r.selects(t, r.deployment.Spec.Selector) {
		t.Error("the Deployment does not select its own pods")
	}
	for _, s := range r.services {
		if !r.selects(t, &metav1.LabelSelector{MatchLabels: s.Spec.Selector}) {
			t.Errorf("Service %s does not select the pods", s.Name)
		}
		for _, p := range s.Spec.Ports {
			if !r.hasPort(p.TargetPort) {
				t.Errorf("Service %s leads to no port: %v", s.Name, p.TargetPort)
			}
			if p.TargetPort.StrVal == "admin" && s.Spec.ClusterIP != corev1.ClusterIPNone {
				t.Errorf("Service %s publishes the operators' listener", s.Name)
			}
		}
	}
	for _, b := range r.budgets {
		if !r.selects(t, b.Spec.Selector) || b.Spec.MaxUnavailable.IntVal != 1 {
			t.Errorf("the PodDisruptionBudget: %+v", b.Spec)
		}
	}
	for _, c := range r.pod().TopologySpreadConstraints {
		if !r.selects(t, c.LabelSelector) {
			t.Errorf("the spread constraint: %+v", c)
		}
	}
	for _, m := range r.monitors {
		selector, err := metav1.LabelSelectorAsSelector(&m.Spec.Selector)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.services {
			if got, want := selector.Matches(labels.Set(s.Labels)), s.Spec.Ports[0].Name == "admin"; got != want {
				t.Errorf("the ServiceMonitor takes Service %s: %v", s.Name, got)
			}
			if s.Labels[m.Spec.JobLabel] != "gatehouse" {
				t.Errorf("the job would be called %q, and the alerts look for gatehouse", s.Labels[m.Spec.JobLabel])
			}
		}
		if e := m.Spec.Endpoints; len(e) != 1 || e[0].Port != "admin" || e[0].Path != "/metrics" {
			t.Errorf("the ServiceMonitor's endpoints: %+v", e)
		}
	}
	for _, i := range r.ingresses {
		for _, rule := range i.Spec.Rules {
			b := rule.HTTP.Paths[0].Backend.Service
			if b.Name != r.services[0].Name && b.Name != r.services[1].Name || b.Port.Name != "http" {
				t.Errorf("%s leads to %+v", rule.Host, b)
			}
		}
	}
}

func (r *release) wantProbes(t *testing.T) {
	t.Helper()
	live, ready := r.container().LivenessProbe.HTTPGet, r.container().ReadinessProbe.HTTPGet
	if live.Path != "/healthz" || ready.Path != "/readyz" || !r.hasPort(live.Port) || live.Port.StrVal != "admin" || ready.Port.StrVal != "admin" {
		t.Errorf("probes at %+v and %+v", live, ready)
	}
}

// wantConfined wants what the Pod Security Standard called restricted asks for.
func (r *release) wantConfined(t *testing.T) {
	t.Helper()
	pod, c := r.pod(), r.container()
	if !*pod.SecurityContext.RunAsNonRoot || *pod.SecurityContext.RunAsUser == 0 || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		t.Errorf("the pod: %+v", pod.SecurityContext)
	}
	if *c.SecurityContext.AllowPrivilegeEscalation || !*c.SecurityContext.ReadOnlyRootFilesystem || c.SecurityContext.Capabilities.Drop[0] != "ALL" || len(c.SecurityContext.Capabilities.Add) > 0 {
		t.Errorf("the container: %+v", c.SecurityContext)
	}
	if *pod.AutomountServiceAccountToken || *r.accounts[0].AutomountServiceAccountToken || pod.ServiceAccountName != r.accounts[0].Name {
		t.Error("the pod gets a token for the API server")
	}
	if pod.HostNetwork || pod.HostPID || pod.HostIPC {
		t.Error("the pod shares the host's namespaces")
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap == nil && v.Secret == nil {
			t.Errorf("volume %s is neither configuration nor secret", v.Name)
		}
	}
	for _, v := range c.Env {
		if strings.Contains(strings.ToLower(v.Name), "secret") && !strings.HasSuffix(v.Name, "_FILE") {
			t.Errorf("a secret stands in the environment: %s", v.Name)
		}
	}
}

func TestOnlyTheProxyReachesTheApps(t *testing.T) {
	r := decode(t, documents(t, valuesOf(t, "three")))
	apps := map[string]int32{"admin-dashboard": 7861, "user-dashboard": 7860}
	for _, p := range r.policies {
		if len(p.Spec.PolicyTypes) != 1 || p.Spec.PolicyTypes[0] != networkingv1.PolicyTypeIngress {
			t.Errorf("%s is about %v", p.Name, p.Spec.PolicyTypes)
		}
		port, isApp := apps[p.Spec.PodSelector.MatchLabels["app"]]
		if !isApp {
			if !r.selects(t, &p.Spec.PodSelector) || p.Namespace != "" || len(p.Spec.Ingress) != 2 {
				t.Errorf("%s: %+v", p.Name, p.Spec)
			}
			for _, rule := range p.Spec.Ingress {
				if len(rule.From) != 1 || len(rule.Ports) != 1 || !r.hasPort(*rule.Ports[0].Port) {
					t.Errorf("%s lets in %+v", p.Name, rule)
				}
			}
			continue
		}
		delete(apps, p.Spec.PodSelector.MatchLabels["app"])
		if p.Namespace != "ml" || len(p.Spec.Ingress) != 1 || len(p.Spec.Ingress[0].From) != 1 || len(p.Spec.Ingress[0].Ports) != 1 {
			t.Fatalf("%s: %+v", p.Name, p)
		}
		from := p.Spec.Ingress[0].From[0]
		if from.IPBlock != nil || !r.selects(t, from.PodSelector) || from.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "front" {
			t.Errorf("%s lets in %+v", p.Name, from)
		}
		if got := p.Spec.Ingress[0].Ports[0].Port.IntVal; got != port {
			t.Errorf("%s opens port %d, want %d", p.Name, got, port)
		}
	}
	if len(apps) > 0 {
		t.Errorf("no policy for %v", apps)
	}
}
