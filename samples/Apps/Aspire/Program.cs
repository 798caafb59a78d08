using System.Globalization;

// Three silos with a model and a gateway without one, each an `mtx serve` of its own. Aspire starts them, waits for the first, and shows their logs, requests
// and measurements on a page.
IDistributedApplicationBuilder builder = DistributedApplication.CreateBuilder(args);
string cluster = builder.Configuration["Cluster"] ?? "localhost:11111",
    model = builder.Configuration["Model"] ?? Path.GetFullPath("../../../models/demo-codegen", builder.AppHostDirectory);
int port = int.Parse(builder.Configuration["Port"] ?? "8080", CultureInfo.InvariantCulture);

IResourceBuilder<ProjectResource> Serve(string name, int at, params string[] options) => builder.AddProject<Projects.Cli>(name, launchProfileName: null)
    .WithArgs(["serve", "--cluster", cluster, "--port", $"{at}", .. options])
    .WithHttpEndpoint(at, isProxied: false)
    .WithHttpHealthCheck("/readyz");

IResourceBuilder<ProjectResource> first = Serve("silo-0", port, "--silo-name", "silo-0", "--model", model, "--preload");
for (int i = 1; i < 3; i++)
    Serve($"silo-{i}", port + i, "--silo-name", $"silo-{i}", "--model", model, "--preload").WaitFor(first);
Serve("gateway", port + 3, "--gateway-only").WaitFor(first);
builder.Build().Run();
