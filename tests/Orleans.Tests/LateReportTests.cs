using System.Diagnostics;
using Orleans;
using Orleans.Configuration;
using Orleans.Hosting;
using Orleans.TestingHost;

namespace ManagedTransformers.Orleans.Tests;

/// <summary>Reports that come late, and directories that do not answer.</summary>
public sealed class LateReportTests
{
    private const string Other = "demo-embed";

    [Test]
    public async Task A_directory_that_does_not_answer_keeps_no_report_from_the_others()
    {
        var held = new TaskCompletionSource();
        await using InProcessTestCluster cluster = await StartAsync(
            TimeSpan.FromSeconds(0.5), context => IsReport(context, Other) ? held.Task : Task.CompletedTask);
        try
        {
            IModelDirectoryGrain directory = cluster.Client.GetGrain<IModelDirectoryGrain>(Fleet.Model);
            long first = await VersionAfterAsync(directory, 0);
            Assert.That(await VersionAfterAsync(directory, await VersionAfterAsync(directory, first)), Is.GreaterThan(first));
        }
        finally
        {
            held.SetResult();
        }
    }

    [Test]
    public async Task A_directory_says_of_no_model_that_it_is_unknown_before_a_silo_that_does_not_report_is_gone()
    {
        var interval = TimeSpan.FromSeconds(2);
        long? asked = null;
        await using InProcessTestCluster cluster = await StartAsync(interval, context =>
        {
            if (context.InterfaceMethod?.Name == nameof(IModelDirectoryGrain.ChooseAsync))
                asked ??= Stopwatch.GetTimestamp();
            bool isLate = IsReport(context, Other) && (asked is not long since || Stopwatch.GetElapsedTime(since) < 5 * interval);
            return isLate ? Task.FromException(new TimeoutException("The report comes later.")) : Task.CompletedTask;
        });
        Assert.That(await new ClusterEncoder(cluster.Client, Other, maxFailures: 60).EmbedAsync(["x"]), Has.Count.EqualTo(1));
    }

    private static bool IsReport(IIncomingGrainCallContext context, string model) =>
        context.InterfaceMethod?.Name == nameof(IModelDirectoryGrain.ReportAsync) && context.TargetId.Key.ToString() == model;

    private static async Task<InProcessTestCluster> StartAsync(TimeSpan interval, Func<IIncomingGrainCallContext, Task> before)
    {
        var builder = new InProcessTestClusterBuilder(1) { Options = { ConfigureFileLogging = false } };
        builder.ConfigureSilo((_, silo) =>
        {
            silo.AddManagedTransformers(Fleet.Options with { ReportInterval = interval });
            silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = TimeSpan.FromHours(1));
            silo.AddIncomingGrainCallFilter(async context =>
            {
                await before(context);
                await context.Invoke();
            });
        });
        builder.ConfigureClient(client => client.AddManagedTransformers());
        InProcessTestCluster cluster = builder.Build();
        await cluster.DeployAsync();
        return cluster;
    }

    private static async Task<long> VersionAfterAsync(IModelDirectoryGrain directory, long version)
    {
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            if ((await directory.ReportsAsync()).Lines is [DirectoryLine line] && line.Report.Version > version)
                return line.Report.Version;
            await Task.Delay(50, guard.Token);
        }
    }
}
