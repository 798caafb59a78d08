using System.Globalization;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Fuzz;

/// <summary>The long runs: <c>dotnet run -c Release --project tests/Fuzz -- TARGET [--inputs N] [--seconds S] [--seed N] [--out DIR]</c>.</summary>
internal static class FuzzCommand
{
    private const string Usage = """
        TARGET … [--inputs N] [--seconds S] [--seed N] [--out DIR]   try inputs (1000000, seed 1); "all" is every target
        list                                                         the targets
        try TARGET FILE …                                            run files, such as those of tests/Fuzz/Crashers
        """;

    public static int Run(string[] args)
    {
        try
        {
            return Do(args);
        }
        catch (Exception e) when (e is ArgumentException or FormatException)
        {
            Console.Error.WriteLine($"{e.Message}\n{Usage}");
            return 2;
        }
    }

    private static int Do(string[] args)
    {
        switch (args)
        {
            case ["list"]:
                foreach (FuzzTarget target in FuzzTargets.All)
                    Console.WriteLine(target.Name);
                return 0;
            case ["try", string name, .. string[] files]:
                return Array.TrueForAll(files, file => Try(FuzzTargets.Find(name), file)) ? 0 : 1;
            case []:
                Console.Error.WriteLine(Usage);
                return 2;
        }
        long inputs = 1_000_000;
        int seed = 1;
        TimeSpan time = TimeSpan.MaxValue;
        string output = Path.Combine(RepositoryRoot.Path, "artifacts", "fuzz");
        var names = new List<string>();
        for (int i = 0; i < args.Length; i++)
        {
            string Value() => ++i < args.Length ? args[i] : throw new FormatException($"{args[^1]} needs a value.");
            switch (args[i])
            {
                case "--inputs": inputs = long.Parse(Value(), CultureInfo.InvariantCulture); break;
                case "--seconds": time = TimeSpan.FromSeconds(double.Parse(Value(), CultureInfo.InvariantCulture)); break;
                case "--seed": seed = int.Parse(Value(), CultureInfo.InvariantCulture); break;
                case "--out": output = Value(); break;
                default: names.Add(args[i]); break;
            }
        }
        Watchdog.Start(output);
        Console.WriteLine($"{"target",-26} {"inputs",9} {"accepted",9} {"per s",7} {"seeds'",7} {"points",7} {"corpus",7} findings");
        FuzzTarget[] targets = [.. names.SelectMany(name => name == "all" ? FuzzTargets.All : [FuzzTargets.Find(name)])];
        bool isGood = true;
        foreach (FuzzTarget target in targets)
            isGood &= RunOne(target, inputs, time, seed, output);
        return isGood ? 0 : 1;
    }

    private static bool RunOne(FuzzTarget target, long inputs, TimeSpan time, int seed, string output)
    {
        FuzzReport report = new FuzzLoop(target, seed).Run(inputs, time);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{target.Name,-26} {report.Inputs,9} {report.Accepted,9} " +
            $"{report.InputsPerSecond,7:F0} {report.SeedPoints,7} {report.Points,7} {report.Corpus,7} {report.Findings.Count}"));
        string folder = Path.Combine(output, target.Name);
        for (int i = 0; i < report.Findings.Count; i++)
        {
            Finding finding = report.Findings[i];
            Directory.CreateDirectory(folder);
            string path = Path.Combine(folder, $"{i + 1}");
            File.WriteAllBytes(path, Minimizer.Shrink(target, finding));
            Console.WriteLine($"    {finding.Fault.Key}\n        {path}\n        {finding.Fault.Text.Split('\n')[0]}");
        }
        return report.Findings.Count == 0;
    }

    private static bool Try(FuzzTarget target, string file)
    {
        var trial = new Trial(target);
        Fault? fault = trial.Run(File.ReadAllBytes(file));
        Console.WriteLine($"{file}: {fault?.Text ?? (trial.Accepted ? "accepted" : "refused")}");
        return fault is null;
    }
}
