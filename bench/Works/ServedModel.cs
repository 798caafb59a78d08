using System.Net;
using System.Net.Sockets;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;
using ManagedTransformers.Orleans;
using ManagedTransformers.Server;
using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Hosting;

namespace ManagedTransformers.Bench;

/// <summary>A checkpoint of a real size behind the server, on a free port of this machine.</summary>
internal sealed class ServedModel : IDisposable
{
    private readonly WebApplication _app;

    private ServedModel(WebApplication app, string directory)
    {
        (_app, Directory) = (app, directory);
        Client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1024 }) { BaseAddress = new Uri(app.Urls.First()) };
    }

    public HttpClient Client { get; }

    /// <summary>The checkpoint, which has a tokenizer now.</summary>
    public string Directory { get; }

    /// <param name="checkpoint">A checkpoint of the cache; it has no tokenizer.</param>
    /// <param name="tokenizer">A directory with one, of no more tokens.</param>
    /// <param name="kernels">Level and threads.</param>
    /// <param name="generation">How a decoder is shared.</param>
    /// <param name="inCluster">Whether it is behind a gateway, in a cluster of one silo in this process.</param>
    public static ServedModel Start(
        string checkpoint, string tokenizer, KernelOptions kernels, GenerationEngineOptions generation, bool inCluster = false)
    {
        string directory = System.IO.Directory.CreateTempSubdirectory("bench-served-").FullName;
        // Copies, as a link that leads out of its directory is not followed.
        foreach (string file in System.IO.Directory.GetFiles(checkpoint, "*", SearchOption.AllDirectories))
        {
            string copy = Path.Combine(directory, Path.GetRelativePath(checkpoint, file));
            System.IO.Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
        foreach (string file in System.IO.Directory.GetFiles(tokenizer, "tokenizer*.json"))
            File.Copy(file, Path.Combine(directory, Path.GetFileName(file)), overwrite: true);
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var pipeline = new PipelineOptions { Load = new LoadOptions { Kernels = kernels } };
        builder.Services.AddManagedTransformersServer(new ServerOptions { Models = [directory], Generation = generation, Pipeline = pipeline });
        if (inCluster)
        {
            builder.UseOrleans(silo => silo.UseLocalhostClustering(FreePort(), FreePort()).AddManagedTransformers(new ModelSiloOptions
            {
                Host = new ModelHostOptions { Models = [directory], Generation = generation, Pipeline = pipeline },
            }));
            builder.UseManagedTransformersCluster();
        }
        WebApplication app = builder.Build();
        app.Urls.Add("http://127.0.0.1:0");
        app.MapManagedTransformers();
        app.StartAsync().Wait();
        var served = new ServedModel(app, directory);
        while (!served.Client.GetAsync(new Uri("/readyz", UriKind.Relative)).Result.IsSuccessStatusCode)
            Thread.Sleep(10);
        return served;
    }

    /// <summary>A port that nobody listens at.</summary>
    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Posts a body, and reads the answer to its end.</summary>
    public async Task AskAsync(string route, string body)
    {
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await Client.PostAsync(new Uri(route, UriKind.Relative), content).ConfigureAwait(false);
        string text = await answer.Content.ReadAsStringAsync().ConfigureAwait(false);
        if (!answer.IsSuccessStatusCode)
            throw new InvalidOperationException($"{route} answered {(int)answer.StatusCode}: {text}");
    }

    public void Dispose()
    {
        Client.Dispose();
        _app.DisposeAsync().AsTask().Wait();
        System.IO.Directory.Delete(Directory, recursive: true);
    }
}
