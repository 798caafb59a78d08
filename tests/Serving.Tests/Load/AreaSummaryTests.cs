using ManagedTransformers.Bench;

namespace ManagedTransformers.Serving.Tests;

/// <summary>The summary at the end of the bench.</summary>
public sealed class AreaSummaryTests
{
    private static readonly Measurement Line = new() { Work = "", Machine = "", Threads = 2, Level = "Avx2" };

    [Test]
    public void An_area_has_its_worst_ratio_to_another_program_and_its_lowest_share_of_the_limit()
    {
        Measurement decoding = Line with { Area = "decoding" };
        AreaSummary area = AreaSummary.Of(
        [
            Line with { Work = "limit: FMA", ShareOfLimit = 0.1 },                                    // the machine's own
            decoding with { Work = "a", Ratio = 0.6, PeerKind = PeerKind.Limit, Peer = "reading alone", ShareOfLimit = 0.7, Limit = "read" },
            decoding with { Work = "a", Ratio = 0.9, PeerKind = PeerKind.Ours, Peer = "F16 weights" },
            decoding with { Work = "a", Ratio = 1.5, PeerKind = PeerKind.Other, Peer = "llama.cpp f16", ShareOfLimit = 0.6, Limit = "read" },
            decoding with { Work = "b", Threads = 1, Ratio = 1.2, PeerKind = PeerKind.Other, Peer = "llama.cpp q8_0" },
        ]).Single();
        Assert.That(area, Is.EqualTo(new AreaSummary("decoding", 1.2, "b (Avx2, 1 thread); llama.cpp q8_0", 0.6, "a (Avx2, 2 threads); read")));
        Assert.That(area.Cells(), Is.EqualTo(
            new[] { "decoding", "1.20x", "b (Avx2, 1 thread); llama.cpp q8_0", $"{0.6:P0}", "a (Avx2, 2 threads); read" }));
    }

    [Test]
    public void Without_another_program_the_worst_ratio_is_to_ours_in_another_form_and_without_that_there_is_none()
    {
        IReadOnlyList<AreaSummary> areas = AreaSummary.Of(
        [
            Line with { Area = "GEMM", Work = "m=128", Ratio = 1.9, PeerKind = PeerKind.Ours, Peer = "1 thread" },
            Line with { Area = "GEMM", Work = "m=512", Ratio = 0.8, PeerKind = PeerKind.Limit, Peer = "FMA alone" },
            Line with { Area = "loading", Work = "open" },
        ]);
        Assert.That(areas, Is.EqualTo(new[]
        {
            new AreaSummary("GEMM", 1.9, "m=128 (Avx2, 2 threads); 1 thread", null, null),
            new AreaSummary("loading", null, null, null, null),
        }));
    }
}
