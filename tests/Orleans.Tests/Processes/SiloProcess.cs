using System.Diagnostics;
using System.Net;
using System.Threading.Channels;

namespace ManagedTransformers.Orleans.Tests.Processes;

/// <summary>How a silo's process is started.</summary>
internal sealed record SiloSettings(string Name, IPAddress Address, int SiloPort, int GatewayPort)
{
    public string Model { get; init; } = Path.Combine(RepositoryRoot.Path, "models", Fleet.Model);

    /// <summary>Models that it has as well, by their directories.</summary>
    public IReadOnlyList<string> Encoders { get; init; } = [];

    /// <summary>Other ones make another version.</summary>
    public string? Weights { get; init; }

    public long? MemoryBytes { get; init; }

    /// <summary>The network namespace that is its machine; null: this one.</summary>
    public string? Machine { get; init; }

    public Dictionary<string, string> Environment { get; init; } = [];
}

/// <summary>tests/Silo in a process of its own.</summary>
internal sealed class SiloProcess : IDisposable
{
    private readonly Process _process;
    private readonly Channel<string> _answers = Channel.CreateUnbounded<string>();
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<string> _log = [];

    private SiloProcess(SiloSettings settings, RedisServer redis, string cluster)
    {
        Settings = settings;
        string[] command = settings.Machine is null ? [] : ["ip", "netns", "exec", settings.Machine];
        command = [
            .. command, "dotnet", Path.Combine(AppContext.BaseDirectory, "silo.dll"), "--name", settings.Name, "--address", $"{settings.Address}",
            "--silo-port", $"{settings.SiloPort}", "--gateway-port", $"{settings.GatewayPort}", "--redis", redis.ConnectionString, "--cluster", cluster,
            "--model", settings.Model,
        ];
        if (settings.Encoders.Count > 0)
            command = [.. command, "--encoders", string.Join(Path.PathSeparator, settings.Encoders)];
        if (settings.Weights is not null)
            command = [.. command, "--weights", settings.Weights];
        if (settings.MemoryBytes is long bytes)
            command = [.. command, "--memory", $"{bytes}"];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            RedirectStandardOutput = true, RedirectStandardInput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        foreach ((string name, string value) in settings.Environment)
            start.Environment[name] = value;
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Hear(line.Data);
        _process.ErrorDataReceived += (_, line) => Hear(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public SiloSettings Settings { get; }

    public bool HasExited => _process.HasExited;

    /// <summary>What it has written.</summary>
    public string Log
    {
        get
        {
            lock (_log)
                return string.Join('\n', _log);
        }
    }

    public static async Task<SiloProcess> StartAsync(SiloSettings settings, RedisServer redis, string cluster)
    {
        var silo = new SiloProcess(settings, redis, cluster);
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        if (await Task.WhenAny(silo._ready.Task, silo._process.WaitForExitAsync(guard.Token)) != silo._ready.Task)
        {
            silo.Dispose();
            throw new InvalidOperationException($"{settings.Name} did not start: {silo.Log}");
        }
        return silo;
    }

    /// <summary>What a caller in the silo gets.</summary>
    public async Task<string> AskAsync(IEnumerable<int> prompt)
    {
        await _process.StandardInput.WriteLineAsync(string.Join(' ', prompt));
        await _process.StandardInput.FlushAsync();
        using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        return await _answers.Reader.ReadAsync(guard.Token);
    }

    public void Signal(string name) => Signal(_process, name);

    public static void Signal(Process process, string name)
    {
        using Process kill = Process.Start("kill", [$"-{name}", $"{process.Id}"])!;
        kill.WaitForExit();
    }

    public Task UntilExitAsync() => _process.WaitForExitAsync(new CancellationTokenSource(TimeSpan.FromMinutes(3)).Token);

    public void Dispose()
    {
        if (!_process.HasExited)
            _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private void Hear(string? line)
    {
        if (line is null)
            return;
        lock (_log)
            _log.Add(line);
        if (line == "ready")
            _ready.TrySetResult();
        if (line.StartsWith("text ", StringComparison.Ordinal) || line.StartsWith("refused ", StringComparison.Ordinal))
            _answers.Writer.TryWrite(line);
    }
}
