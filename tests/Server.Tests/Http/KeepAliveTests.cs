using ManagedTransformers.Serving;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;

namespace ManagedTransformers.Server.Tests;

/// <summary>Comments in streams in which nothing comes for a while.</summary>
public sealed class KeepAliveTests
{
    [Test]
    public async Task A_stream_that_waits_sends_comments_that_no_client_takes_for_the_end()
    {
        var gate = new TaskCompletionSource();
        using var sent = new Sent(gate, commentsNeeded: 2);
        await RunAsync(Items(gate.Task), sent, TimeSpan.FromMilliseconds(1));
        string[] lines = [.. Encoding.UTF8.GetString(sent.ToArray()).Split('\n').Where(line => line.Length > 0)];
        Assert.That(lines[0], Is.EqualTo("""data: 1"""));
        Assert.That(lines[^1], Is.EqualTo("""data: 2"""));
        Assert.That(lines[1..^1], Has.Length.GreaterThanOrEqualTo(2).And.All.EqualTo(": keep-alive"));
    }

    [Test]
    public async Task A_stream_that_does_not_wait_sends_none()
    {
        using var sent = new MemoryStream();
        await RunAsync(Items(Task.CompletedTask), sent, KeepAlive.Interval);
        Assert.That(Encoding.UTF8.GetString(sent.ToArray()), Is.EqualTo("data: 1\n\ndata: 2\n\n"));
    }

    [Test]
    public void What_fails_before_the_first_item_has_sent_nothing()
    {
        using var sent = new MemoryStream();
        Assert.That(() => RunAsync(Items(Task.FromException(new ModelInputException("too long")), first: false), sent, KeepAlive.Interval),
            Throws.TypeOf<ModelInputException>());
        Assert.That(sent.Length, Is.Zero);
    }

    private static async IAsyncEnumerable<int> Items(Task wait, bool first = true)
    {
        if (first)
            yield return 1;
        await wait;
        yield return 2;
    }

    private static async Task RunAsync(IAsyncEnumerable<int> items, Stream sent, TimeSpan interval)
    {
        var http = new DefaultHttpContext { Response = { Body = sent } };
        var options = new ServerOptions { Models = [Path.Combine(RepositoryRoot.Path, "models", "demo-codegen")] };
        await using var host = new ModelHost(options.ToHost());
        var models = new ServerModels(options, new LocalBackend(host), NullLogger<ServerModels>.Instance);
        var request = new ApiRequest(http, models, options, new RouteEntry { Status = EntryStatus.Supported });
        await foreach (int item in items.WithKeepAlive(request, interval))
            await request.SendAsync(json => json.WriteNumberValue(item));
    }

    /// <summary>Opens a gate when a number of comments has come: no clock decides.</summary>
    private sealed class Sent(TaskCompletionSource gate, int commentsNeeded) : MemoryStream
    {
        private int _needed = commentsNeeded;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (buffer.Span.StartsWith(": keep-alive"u8) && --_needed == 0)
                gate.SetResult();
            return base.WriteAsync(buffer, cancellationToken);
        }
    }
}
