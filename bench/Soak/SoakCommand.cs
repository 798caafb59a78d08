using System.Diagnostics;
using System.Globalization;

namespace ManagedTransformers.Bench;

/// <summary><c>soak [MINUTES] [THREADS] [SEED] [WARMUP]</c>: calls of all kinds in this process, models loaded and disposed, and what it holds
/// meanwhile.</summary>
internal static class SoakCommand
{
    public const string Command = "soak";

    // With tiers, the runtime takes memory for as long as methods become hot: some MB in the first 12,000 calls.
    private const string Tiers = "DOTNET_TieredCompilation";

    public static async Task<int> RunAsync(string[] args)
    {
        if (Environment.GetEnvironmentVariable(Tiers) != "0")
            return await InProcessWithoutTiersAsync().ConfigureAwait(false);
        SoakCurve.HavePoolThreadsEnd();
        double[] numbers = [.. args.Select(text => double.Parse(text, CultureInfo.InvariantCulture))];
        double minutes = numbers.ElementAtOrDefault(0) is > 0 and double asked ? asked : 60;
        using var directories = LoadModels.OfRepository();
        await using var models = new SoakModels(name => directories[name]);
        Soak soak = await Soak.RunAsync(new SoakSettings
        {
            Time = TimeSpan.FromMinutes(minutes), Round = TimeSpan.FromSeconds(Math.Clamp(minutes * 60 / 60, 2, 30)),
            Threads = numbers.ElementAtOrDefault(1) is > 0 and double threads ? (int)threads : 8, Seed = (int)numbers.ElementAtOrDefault(2),
            WarmCalls = numbers.ElementAtOrDefault(3) is > 0 and double calls ? (int)calls : 10_000, IsAlone = true,
            Progress = sample => Console.WriteLine(SoakCurve.Text(sample)),
        }, models).ConfigureAwait(false);
        foreach ((string what, long times) in soak.Counts.OrderBy(one => one.Key, StringComparer.Ordinal))
            Console.WriteLine($"{times,9} {what}");
        foreach (string failure in soak.Failures.Concat(soak.Curve.Growth()))
            Console.WriteLine(failure);
        if (soak.Curve.Warm is { Count: > 1 } warm)
        {
            Write("live", SoakCurve.Line(warm, one => one.Live));
            Write("resident", SoakCurve.Line(warm, one => one.State.Resident));
            Write("besides", SoakCurve.Line(warm, one => one.State.Private - one.Committed));
        }
        Console.WriteLine($"{soak.Calls} calls, {soak.Counts.Where(one => one.Key.EndsWith("WRONG", StringComparison.Ordinal)).Sum(one => one.Value)} wrong");
        return soak.Failures.Count == 0 && !soak.Curve.Growth().Any() ? 0 : 1;
    }

    private static async Task<int> InProcessWithoutTiersAsync()
    {
        string program = Environment.ProcessPath!;
        string[] line = Environment.GetCommandLineArgs();          // the assembly first
        bool isHost = Path.GetFileNameWithoutExtension(program) == "dotnet";
        var start = new ProcessStartInfo(program, isHost ? ["exec", .. line] : line[1..]) { UseShellExecute = false };
        start.Environment[Tiers] = "0";
        using Process soak = Process.Start(start)!;
        await soak.WaitForExitAsync().ConfigureAwait(false);
        return soak.ExitCode;
    }

    private static void Write(string what, (double First, double Last) ends) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{what,8}: {ends.First / 1e6:F2} MB after the warm-up, {ends.Last / 1e6:F2} at the end, {(ends.Last / ends.First) - 1:P2}"));
}
