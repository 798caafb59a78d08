using System.Globalization;
using System.Net;
using ManagedTransformers.Models;
using ManagedTransformers.Orleans;
using ManagedTransformers.Serving;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;

// A silo with a decoder, and encoders if wanted, over Redis, in a process that tests/Orleans.Tests kills, stops, divides from the others and upgrades. It says
// "ready", and then generates a text for every line of token ids that it reads, as a caller in this silo: "text IDS", or "refused TYPE MESSAGE".
HostApplicationBuilder builder = Host.CreateApplicationBuilder(args);
string Asked(string name) => builder.Configuration[name] ?? throw new InvalidOperationException($"--{name} is missing.");
int Number(string name) => int.Parse(Asked(name), CultureInfo.InvariantCulture);

string model = Asked("model");
string[] models = [model, .. (builder.Configuration["encoders"] ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)];
WeightFormat weights = Enum.Parse<WeightFormat>(builder.Configuration["weights"] ?? nameof(WeightFormat.AsStored));
builder.Logging.ClearProviders().AddSimpleConsole(format => (format.SingleLine, format.TimestampFormat) = (true, "HH:mm:ss.fff "))
    .SetMinimumLevel(LogLevel.Warning).AddFilter("ManagedTransformers", LogLevel.Information);
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromMinutes(1));
builder.UseOrleans(silo => silo
    .UseRedisClustering(Asked("redis"))
    .Configure<ClusterOptions>(cluster => (cluster.ClusterId, cluster.ServiceId) = (Asked("cluster"), "fleet"))
    .Configure<SiloOptions>(options => options.SiloName = Asked("name"))
    .ConfigureEndpoints(IPAddress.Parse(Asked("address")), Number("silo-port"), Number("gateway-port"))
    .AddManagedTransformers(new ModelSiloOptions
    {
        Host = new ModelHostOptions
        {
            Models = models, MemoryBytes = builder.Configuration["memory"] is string bytes ? long.Parse(bytes, CultureInfo.InvariantCulture) : null,
            Generation = new() { CacheBytes = 100_000_000, MaxRows = 16 },
            Pipeline = new() { Load = new LoadOptions { WeightFormat = weights } },
        },
        Preload = builder.Configuration["memory"] is null ? [.. models.Select(path => Path.GetFileName(path))] : [],
    }));
using IHost host = builder.Build();
await host.StartAsync().ConfigureAwait(false);
Console.WriteLine("ready");
var generator = new ClusterGenerator(host.Services.GetRequiredService<IGrainFactory>(), Path.GetFileName(model));
_ = Task.Run(async () =>
{
    while (Console.ReadLine() is string prompt)
    {
        try
        {
            int[] ids = [.. prompt.Split(' ').Select(id => int.Parse(id, CultureInfo.InvariantCulture))];
            GenerationResult result = await generator.GenerateAsync(new GenerationRequest(ids) { Options = new() { MaxNewTokens = 16 } }).ConfigureAwait(false);
            Console.WriteLine($"text {string.Join(' ', result.Sequences[0].TokenIds)}");
        }
#pragma warning disable CA1031 // the test compares its type
        catch (Exception e)
#pragma warning restore CA1031
        {
            Console.WriteLine($"refused {e.GetType().Name} {e.Message.ReplaceLineEndings(" ")}");
        }
    }
});
await host.WaitForShutdownAsync().ConfigureAwait(false);
